// SPDX-License-Identifier: MIT
// Any samples at all into the receiver. The input is a little program: real frames, raw samples, noise, in any order,
// cut, and on top of each other.
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace meshnet;
    using namespace meshnet::phy;
    static Transmitter transmitter(*find_profile("250k"));
    Receiver::Config config;
    config.profile = find_profile("250k");
    ByteReader in({data, size});
    const std::uint8_t options = in.u8();
    config.search_long = options % 8 < 4;
    Receiver receiver(config);
    if (options % 4 >= 2) {
        receiver.set_doppler_hint({static_cast<double>(options) * 50.0, static_cast<double>(options) * 10.0});
    }
    std::vector<Sample> samples;
    while (in.left() > 0 && samples.size() < 60'000) {
        switch (in.u8() % 6) {
            case 0: {  // a frame, perhaps cut short
                const ModeIndex mode = static_cast<ModeIndex>(2 + in.u8() % (modes().size() - 2));
                const Bytes payload(1 + in.u8() % 64, in.u8());
                const std::size_t before = samples.size();
                transmitter.modulate(mode, payload, samples, in.u8() % 4);
                const std::size_t keep = (samples.size() - before) * (1 + in.u8()) / 256;
                samples.resize(before + keep);
                break;
            }
            case 1: {  // raw floats
                const std::size_t wanted = in.u8();
                const std::size_t n = std::min(wanted, in.left() / 8);
                for (std::size_t i = 0; i < n; ++i) {
                    float v[2] = {};
                    const ByteView raw = in.bytes(8);
                    std::memcpy(v, raw.data(), 8);
                    samples.emplace_back(v[0], v[1]);
                }
                break;
            }
            case 2: {  // noise on what is there
                Rng rng(in.u8());
                const float level = static_cast<float>(in.u8()) / 64.0F;
                for (auto& s : samples) {
                    s += level * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
                }
                break;
            }
            case 3: {  // samples lost or repeated
                const std::size_t n = std::min<std::size_t>(in.u16() % 3000, samples.size());
                if (in.u8() % 2 == 0) {
                    samples.resize(samples.size() - n);
                } else {
                    const std::vector<Sample> again(samples.end() - static_cast<std::ptrdiff_t>(n), samples.end());
                    samples.insert(samples.end(), again.begin(), again.end());
                }
                break;
            }
            case 5: {  // a frame over what is there, louder or fainter, turned
                const ModeIndex mode = static_cast<ModeIndex>(2 + in.u8() % (modes().size() - 2));
                const Bytes payload(1 + in.u8(), in.u8());
                std::vector<Sample> frame;
                transmitter.modulate(mode, payload, frame, in.u8() % 4,
                                     {static_cast<double>(static_cast<std::int8_t>(in.u8())) * 100.0, 0.0});
                const float level = static_cast<float>(in.u8()) / 64.0F;
                const std::size_t at = std::min<std::size_t>(in.u16(), samples.size());
                samples.resize(std::max(samples.size(), at + frame.size()));
                for (std::size_t i = 0; i < frame.size(); ++i) {
                    samples[at + i] += level * frame[i];
                }
                break;
            }
            default:
                samples.resize(samples.size() + in.u16() % 2000);
                break;
        }
    }
    receiver.push(samples);
    receiver.flush();
    while (const auto frame = receiver.poll_frame()) {
        std::size_t covered = 0;
        for (const auto& block : frame->blocks) {
            if (block.offset != covered || block.length == 0) {
                __builtin_trap();
            }
            covered += block.length;
        }
        if (covered != frame->payload.size() || !(frame->snr_db > -100.0F && frame->snr_db < 300.0F)) {
            __builtin_trap();
        }
    }
    return 0;
}
