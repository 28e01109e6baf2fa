// SPDX-License-Identifier: MIT
#include "sim/mac_air_use.hpp"

#include <algorithm>

#include "core/link.hpp"
#include "mac/frame_format.hpp"

namespace meshnet::sim {

MacAirUse::Content MacAirUse::content_of(ByteView payload) {
    constexpr unsigned kHeader = 0;
    constexpr unsigned kFragment = 1;
    Content out;
    bool have_header = false;
    std::size_t at = 0;
    while (at + mac::kSubFrameOverhead <= payload.size()) {
        const unsigned word = (unsigned{payload[at + 1]} << 8U) | payload[at + 2];
        const unsigned type = word >> 13U;
        const std::size_t length = word & 0x1FFFU;
        const std::size_t total = std::min(length + mac::kSubFrameOverhead, payload.size() - at);
        if (type == kFragment && length > mac::kFragmentHeader) {
            out.data += length - mac::kFragmentHeader;
            out.header += mac::kFragmentOverhead;
        } else if (type == kHeader) {
            out.header += total;
        } else {
            out.control += total;
        }
        if (type == kHeader && !have_header) {
            have_header = true;
            if (const auto burst = mac::parse_burst(payload.subspan(at, total))) {
                const mac::BurstHeader& h = burst->header;
                out.grantee = h.grantee;
                for (std::size_t i = 0; i + h.witnesses < h.targets.size(); ++i) {
                    out.receivers.push_back(h.targets[i].peer);
                }
            }
        }
        at += total;
    }
    std::erase(out.receivers, kBroadcast);
    if (out.receivers.empty() && out.grantee != 0) {
        out.receivers.push_back(out.grantee);
    }
    return out;
}

void MacAirUse::add(std::uint64_t number, mac::StationId sender, Instant start, Duration airtime,
                    Duration before_payload, const Content& content) {
    Use use;
    use.number = number;
    use.sender = sender;
    use.grantee = content.grantee;
    use.start = start;
    use.airtime = airtime;
    const double before = to_seconds(before_payload) / to_seconds(airtime);
    const auto bytes = static_cast<double>(std::max<std::size_t>(content.data + content.header + content.control, 1));
    use.data = (1.0 - before) * static_cast<double>(content.data) / bytes;
    use.control = (1.0 - before) * static_cast<double>(content.control) / bytes;
    use.header = 1.0 - use.data - use.control;
    const auto behind =
        std::find_if(uses_.rbegin(), uses_.rend(), [&](const Use& other) { return other.start <= start; });
    uses_.insert(behind.base(), use);
}

void MacAirUse::on_outcome(std::uint64_t number, double intact, bool disturbed) {
    const auto use =
        std::find_if(uses_.rbegin(), uses_.rend(), [&](const Use& other) { return other.number == number; });
    if (use != uses_.rend()) {
        ++use->outcomes;
        use->intact += intact;
        use->disturbed += disturbed && intact < 1.0 ? 1U : 0U;
    }
}

void MacAirUse::measure(Instant from) {
    settle(from);
    seconds_ = {};
    measured_from_ = from;
    covered_ = std::max(covered_, from);
}

void MacAirUse::settle(Instant until) {
    while (!uses_.empty() && uses_.front().start < until) {
        count(uses_.front());
        uses_.pop_front();
    }
}

void MacAirUse::count(const Use& use) {
    const Instant end = use.start + use.airtime;
    if (use.start > covered_) {
        const Duration silence = use.start - covered_;
        const bool turn = use.sender == last_grantee_ || use.sender == last_sender_ || silence <= longest_ + 1ms;
        (turn ? seconds_.gap : seconds_.idle) += to_seconds(silence);
        covered_ = use.start;
    }
    last_sender_ = use.sender;
    last_grantee_ = use.grantee;
    seconds_.reuse += to_seconds(use.airtime);
    const double visible = to_seconds(std::max(end - std::max(use.start, covered_), Duration::zero()));
    covered_ = std::max(covered_, end);
    // What nobody is to answer or to take is not lost by anybody.
    const double intact = use.outcomes == 0 ? 1.0 : use.intact / use.outcomes;
    seconds_.data += visible * use.data * intact;
    seconds_.header += visible * use.header * intact;
    seconds_.control += visible * use.control * intact;
    (use.disturbed > 0 ? seconds_.collision : seconds_.lost) += visible * (1.0 - intact);
}

AirShares MacAirUse::shares(Instant now) const {
    AirShares out = seconds_;
    out.idle += std::max(0.0, to_seconds(now - covered_));
    const double on_air = out.data + out.header + out.control + out.lost + out.collision;
    const double all = on_air + out.gap + out.idle;
    out.reuse = on_air > 0.0 ? out.reuse / on_air : 1.0;
    for (double* part : {&out.data, &out.header, &out.control, &out.lost, &out.collision, &out.gap, &out.idle}) {
        *part /= all > 0.0 ? all : 1.0;
    }
    return out;
}

}  // namespace meshnet::sim
