// SPDX-License-Identifier: MIT
// Frames of every length without noise: whatever is lost here is lost by the waveform itself.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/random.hpp"
#include "lab/commands.hpp"
#include "lab/monte_carlo.hpp"
#include "phy/frame.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

// Random bytes, all 0x00 and all 0xFF in turn.
Bytes payload_of(std::size_t length, Rng& rng) {
    Bytes out(length, length % 3 == 1 ? 0x00 : 0xFF);
    if (length % 3 == 0) {
        for (auto& b : out) {
            b = static_cast<std::uint8_t>(rng.below(256));
        }
    }
    return out;
}

struct Lost {
    std::size_t length;
    phy::ModeIndex mode;
};

// Lengths in turn over the modes: each mode meets every length modulo their number in a run of all of them.
class LengthRunner {
public:
    LengthRunner(const phy::Profile& profile, std::vector<phy::ModeIndex> modes, const LengthOptions& o)
        : transmitter_(profile), modes_(std::move(modes)), options_(o) {
        phy::Receiver::Config config;
        config.profile = &profile;
        receiver_ = std::make_unique<phy::Receiver>(config);
    }

    Tally run(std::uint64_t first, std::size_t count, std::vector<Lost>& lost) {
        Tally tally;
        for (std::uint64_t i = first; i < first + count; ++i) {
            const std::size_t length = options_.first + i * options_.step;
            const phy::ModeIndex mode = modes_[i % modes_.size()];
            Rng rng(length);
            const Bytes payload = payload_of(length, rng);
            samples_.clear();
            transmitter_.modulate(mode, payload, samples_);
            samples_.resize(samples_.size() + 40'000);
            receiver_->push(samples_);
            bool received = false;
            while (const auto frame = receiver_->poll_frame()) {
                received = received || (frame->ok() && frame->payload == payload && frame->mode == mode);
            }
            ++tally.frames;
            if (!received) {
                ++tally.errors;
                lost.push_back({length, mode});
            }
        }
        return tally;
    }

private:
    phy::Transmitter transmitter_;
    std::vector<phy::ModeIndex> modes_;
    LengthOptions options_;
    std::unique_ptr<phy::Receiver> receiver_;
    std::vector<phy::Sample> samples_;
};

// Error-free: 0; else 1. Prints one line of JSON.
int run_profile(const phy::Profile& profile, const std::vector<phy::ModeIndex>& modes, const LengthOptions& o) {
    const std::string name(profile.name);
    Effort effort;
    effort.frames = (o.last - o.first) / o.step + 1;
    effort.threads = std::max(1U, o.threads);
    Progress progress("lengths at " + name, static_cast<double>(effort.frames), o.quiet);
    effort.progress = [&](std::uint64_t done, std::uint64_t errors) {
        progress.at(static_cast<double>(done), std::to_string(errors) + " lost");
    };
    std::mutex mutex;
    std::vector<Lost> lost;
    const Tally tally = run_batches(effort, 64, [&]() -> BatchRunner {
        auto runner = std::make_shared<LengthRunner>(profile, modes, o);
        return [runner, &mutex, &lost](std::uint64_t first, std::size_t count) {
            std::vector<Lost> here;
            const Tally batch = runner->run(first, count, here);
            const std::lock_guard lock(mutex);
            lost.insert(lost.end(), here.begin(), here.end());
            return batch;
        };
    });
    std::sort(lost.begin(), lost.end(), [](const Lost& a, const Lost& b) { return a.length < b.length; });
    Json rows = Json::array();
    for (const auto& l : lost) {
        rows.push_back({{"bytes", l.length}, {"mode", phy::modes()[l.mode].name}});
    }
    const Json out = {{"profile", name}, {"frames", tally.frames}, {"lost", rows}};
    std::puts(out.dump().c_str());
    return lost.empty() ? 0 : 1;
}

}  // namespace

int run_lengths(const LengthOptions& o) {
    std::vector<const phy::Profile*> chosen;
    if (o.profile == "all") {
        for (const phy::Profile& profile : phy::profiles()) {
            chosen.push_back(&profile);
        }
    } else {
        const auto profile = phy::parse_profile(o.profile);
        if (!profile) {
            return complain("lengths", profile.error().message);
        }
        chosen.push_back(*profile);
    }
    if (o.first < 1 || o.first > o.last || o.last > phy::kMaxPayloadBytes || o.step < 1) {
        return complain("lengths", "first and last must be 1.." + std::to_string(phy::kMaxPayloadBytes) +
                                       ", first no greater than last, step at least 1");
    }
    std::vector<phy::ModeIndex> modes;
    for (phy::ModeIndex m = 0; m < phy::modes().size(); ++m) {
        if (o.mode.empty() ? phy::modes()[m].preamble == phy::PreambleClass::kShort : phy::modes()[m].name == o.mode) {
            modes.push_back(m);
        }
    }
    if (modes.empty()) {
        return complain("lengths", "there is no mode " + o.mode);
    }
    int result = 0;
    for (const phy::Profile* profile : chosen) {
        result = std::max(result, run_profile(*profile, modes, o));
    }
    return result;
}

}  // namespace meshnet::lab
