// SPDX-License-Identifier: MIT
// A request for the status page, its parts a line each, and a label of a metric: whoever does not have the token sees
// nothing, whatever the headers are, and no label breaks a line of the metrics.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "apps/page/metrics_text.hpp"
#include "apps/page/request_guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace meshnet::page;

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void judge(const std::array<std::string_view, 8>& lines) {
    const RequestFacts facts{lines[0], lines[1], std::size_t{!lines[2].empty()}, lines[2], lines[3], lines[4], lines[5],
                             lines[6], lines[7]};
    const auto somewhere = [](std::string_view text) { return text.find(kToken) != std::string_view::npos; };
    const bool token = somewhere(facts.cookie) || somewhere(facts.authorization) || facts.query_token == kToken;
    for (const bool open_metrics : {false, true}) {
        const Verdict verdict = RequestGuard(8'081, std::string(kToken), open_metrics).judge(facts);
        const bool seen = verdict == Verdict::kPass || verdict == Verdict::kGiveCookie;
        require(!seen || token || (open_metrics && facts.path == "/metrics"));
        require(!seen || facts.host.ends_with(":8081"));
        require(!seen || facts.origin.empty() || facts.origin == "http://" + std::string(facts.host));
        require(seen == (refusal_of(verdict).status == 500));
    }
}

// One line of help, one of the type, one for the sample.
void write_label(std::string_view text) {
    MetricsText metrics;
    metrics.family("meshnet_fuzz", "gauge", "Nothing.");
    metrics.sample({{"label", std::string(text)}}, 1.5);
    require(std::count(metrics.text().begin(), metrics.text().end(), '\n') == 3);
    require(metrics.text().ends_with("} 1.5\n"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(data, data + size);
    std::string_view rest = input;
    std::array<std::string_view, 8> lines;
    for (std::string_view& line : lines) {
        const auto end = rest.find('\n');
        line = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    judge(lines);
    write_label(rest.empty() ? std::string_view(input) : rest);
    return 0;
}
