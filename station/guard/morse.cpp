// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/morse.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

namespace meshnet::station {

namespace {

struct Letter {
    char name;
    std::string_view code;
};

constexpr Letter kLetters[] = {
    {'A', ".-"},    {'B', "-..."},  {'C', "-.-."},  {'D', "-.."},   {'E', "."},     {'F', "..-."},  {'G', "--."},
    {'H', "...."},  {'I', ".."},    {'J', ".---"},  {'K', "-.-"},   {'L', ".-.."},  {'M', "--"},    {'N', "-."},
    {'O', "---"},   {'P', ".--."},  {'Q', "--.-"},  {'R', ".-."},   {'S', "..."},   {'T', "-"},     {'U', "..-"},
    {'V', "...-"},  {'W', ".--"},   {'X', "-..-"},  {'Y', "-.--"},  {'Z', "--.."},  {'0', "-----"}, {'1', ".----"},
    {'2', "..---"}, {'3', "...--"}, {'4', "....-"}, {'5', "....."}, {'6', "-...."}, {'7', "--..."}, {'8', "---.."},
    {'9', "----."}, {'/', "-..-."},
};

}  // namespace

std::vector<MorseMark> morse_marks(std::string_view text) {
    std::vector<MorseMark> out;
    Duration at{};
    for (const char c : text) {
        if (c == ' ') {
            at += 4 * kMorseDot;  // with the gap behind the letter before: seven
            continue;
        }
        const auto* letter =
            std::find_if(std::begin(kLetters), std::end(kLetters), [c](auto& l) { return l.name == c; });
        if (letter == std::end(kLetters)) {
            continue;
        }
        for (const char mark : letter->code) {
            out.push_back({at, (mark == '-' ? 3 : 1) * kMorseDot});
            at += out.back().length + kMorseDot;
        }
        at += 2 * kMorseDot;
    }
    return out;
}

void render_tone(std::size_t samples, double sample_rate_hz, double offset_hz, float amplitude,
                 std::vector<phy::Sample>& out) {
    out.resize(samples);
    const double edge = std::max(1.0, std::min(5e-3 * sample_rate_hz, static_cast<double>(samples) / 2));
    const std::complex<double> turn = std::polar(1.0, 2.0 * std::numbers::pi * offset_hz / sample_rate_hz);
    std::complex<double> tone{static_cast<double>(amplitude), 0.0};
    for (std::size_t i = 0; i < samples; ++i, tone *= turn) {
        const double from_end = std::min(static_cast<double>(i), static_cast<double>(samples - 1 - i)) + 0.5;
        const double rise = from_end < edge ? 0.5 - 0.5 * std::cos(std::numbers::pi * from_end / edge) : 1.0;
        out[i] = phy::Sample(rise * tone);
    }
}

}  // namespace meshnet::station
