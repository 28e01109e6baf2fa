// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/send_bursts.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "apps/cli/command.hpp"
#include "host/file.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::apps {

namespace {

constexpr double kLead = 0.03;  // s, from the newest sample received to a burst's first; grows when bursts are late
constexpr double kMostLead = 0.5;
constexpr int kTries = 5;           // for one frame
constexpr double kNoSamples = 3.0;  // s without samples, with a burst outstanding: it is lost

/// Frames one after the other, each when the one before has left.
class BurstSender {
public:
    BurstSender(OnAir& radio, phy::ModeIndex mode, double gap_s)
        : radio_(radio), mode_(mode), gap_(gap_s), transmitter_(radio.profile()) {}

    /// False: stopped, or not sent in kTries; a line says why.
    bool send(ByteView payload) {
        burst_.clear();
        transmitter_.modulate(mode_, payload, burst_);
        Outcome outcome = Outcome::kSent;
        for (int attempt = 0; attempt < kTries && !stop_requested(); ++attempt) {
            outcome = send_once();
            if (outcome == Outcome::kSent) {
                ++frames_;
                return true;
            }
            late_ += outcome == Outcome::kLate ? 1 : 0;
            lead_ = std::min(2.0 * lead_, kMostLead);
        }
        if (!stop_requested()) {
            const char* why = outcome == Outcome::kLate      ? "it was late"
                              : outcome == Outcome::kRefused ? "the transmit guard refused it"
                                                             : "the radio was away";
            complain("a frame was given up after " + std::to_string(kTries) + " attempts: " + why, 1);
        }
        return false;
    }
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
    [[nodiscard]] std::uint64_t late() const noexcept { return late_; }

private:
    enum class Outcome { kSent, kLate, kRefused, kAway };

    Outcome send_once() {
        const double rate = radio_.profile().sample_rate_hz;
        if (!wait_for_samples()) {
            return Outcome::kAway;
        }
        const std::uint64_t at = std::max(newest_ + static_cast<std::uint64_t>(lead_ * rate), free_);
        const std::uint64_t passed = radio_.guard() ? radio_.guard()->counters().bursts_passed : 0;
        if (!radio_.transmit(++id_, at, burst_)) {
            return Outcome::kAway;
        }
        const bool refused = radio_.guard() && radio_.guard()->counters().bursts_passed == passed;
        const std::uint64_t give_up = at + burst_.size() + static_cast<std::uint64_t>(kNoSamples * rate);
        for (int idle = 0; idle < 50 && newest_ < give_up && !stop_requested();) {
            const auto got = radio_.receive();
            idle = got && !got->samples.empty() ? 0 : idle + 1;
            if (!got) {
                continue;
            }
            note(*got);
            for (const auto& report : got->reports) {
                if (report.id != id_) {
                    continue;
                }
                if (report.sent) {
                    free_ = report.end_index + static_cast<std::uint64_t>(gap_ * rate);
                    return Outcome::kSent;
                }
                return refused ? Outcome::kRefused : Outcome::kLate;
            }
        }
        return Outcome::kAway;
    }
    bool wait_for_samples() {
        for (int i = 0; i < 100 && !stop_requested(); ++i) {
            const auto got = radio_.receive();
            if (got) {
                note(*got);
                if (!got->samples.empty()) {
                    return true;
                }
            }
        }
        return false;
    }
    void note(const station::Radio::Reception& got) {
        if (!got.samples.empty()) {
            free_ = got.first_index < newest_ ? 0 : free_;  // the radio was opened again: its count began anew
            newest_ = got.first_index + got.samples.size();
        }
    }

    OnAir& radio_;
    phy::ModeIndex mode_;
    double gap_, lead_ = kLead;
    phy::Transmitter transmitter_;
    std::vector<phy::Sample> burst_;
    std::uint64_t newest_ = 0, free_ = 0, id_ = 0, frames_ = 0, late_ = 0;
};

}  // namespace

int send_bursts(const RadioOptions& options, const phy::Profile& profile, phy::ModeIndex mode, std::size_t payload_size,
                double gap_s) {
    auto config = radio_config(options, profile);
    if (!config) {
        return complain(config.error());
    }
    (void)stop_requested();
    auto radio = OnAir::open(std::move(config).value());
    if (!radio) {
        return complain(radio.error());
    }
    if (radio->guard() && radio->guard()->plan() == nullptr) {
        return complain(
            "nothing is sent: [transmit] names no band; meshnet-cli bands lists them, and --set "
            "'transmit.bands=[\"NAME\"]' names one",
            2);
    }
    BurstSender sender(*radio, mode, gap_s);
    Bytes payload(payload_size);
    bool fine = true;
    while (fine && !stop_requested()) {
        const auto size = host::read_full(STDIN_FILENO, payload, "standard input");
        if (!size) {
            return complain(size.error().message, 1);
        }
        if (*size == 0) {
            break;
        }
        fine = sender.send(ByteView(payload).first(*size));
    }
    radio->sign_off();
    std::fprintf(stderr, "%llu frames sent, %llu attempts were late\n",
                 static_cast<unsigned long long>(sender.frames()), static_cast<unsigned long long>(sender.late()));
    return fine && sender.frames() > 0 ? 0 : 1;
}

}  // namespace meshnet::apps
