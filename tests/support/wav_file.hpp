// SPDX-License-Identifier: MIT
// A WAV file out of its parts, as SDR programs write IQ.
#pragma once

#include <cstdint>
#include <string>

namespace meshnet::test {

struct WavFile {
    std::string form = "RIFF";  ///< or RF64
    unsigned tag = 1;           ///< 1 PCM, 3 float, 0xfffe extensible
    unsigned sub_tag = 1;       ///< of an extensible one
    unsigned channels = 2, rate = 1'000'000, bits = 16;
    std::string before_data;  ///< chunks between format and samples
    std::string samples;
    std::uint32_t stated_size = 0;  ///< of the samples; 0: the right one
    std::string behind;             ///< chunks after the samples

    [[nodiscard]] static std::string number(std::uint64_t value, unsigned bytes) {
        std::string out;
        for (unsigned i = 0; i < bytes; ++i) {
            out += static_cast<char>(value >> (8 * i) & 0xffU);
        }
        return out;
    }
    [[nodiscard]] static std::string chunk(const std::string& name, const std::string& content) {
        return name + number(content.size(), 4) + content + std::string(content.size() % 2, '\0');
    }
    [[nodiscard]] std::string bytes() const {
        std::string fmt = number(tag, 2) + number(channels, 2) + number(rate, 4) +
                          number(std::uint64_t{rate} * channels * bits / 8, 4) + number(channels * bits / 8, 2) +
                          number(bits, 2);
        if (tag == 0xfffe) {
            fmt += number(22, 2) + number(bits, 2) + number(3, 4) + number(sub_tag, 2) +
                   std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
        }
        const bool wide = form != "RIFF";
        std::string data = chunk("data", samples);
        if (wide || stated_size != 0) {
            data.replace(4, 4, number(wide ? 0xffffffffU : stated_size, 4));
        }
        std::string out = "WAVE";
        if (wide) {
            out += chunk("ds64", number(0, 8) + number(samples.size(), 8) + number(0, 8) + number(0, 4));
        }
        out += chunk("fmt ", fmt) + before_data + data + behind;
        return form + number(wide ? 0xffffffffU : out.size(), 4) + out;
    }
};

}  // namespace meshnet::test
