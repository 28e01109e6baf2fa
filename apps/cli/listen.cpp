// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/listen.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/frame_printer.hpp"
#include "host/text.hpp"
#include "phy/receiver.hpp"
#include "station/radio/recorder.hpp"

namespace meshnet::apps {

namespace {

// Lost samples are silence to the receiver; of a long gap not more than this.
constexpr std::uint64_t kMostSilence = 65'536;

/// From the receiver's count of samples to the radio's, across gaps.
class Timeline {
public:
    /// The next sample that the receiver gets has that index of the radio; it has had `received` so far.
    void mark(std::uint64_t received, std::uint64_t index) {
        if (std::ssize(marks_) == kMostMarks) {
            marks_.erase(marks_.begin(), marks_.begin() + kMostMarks / 2);  // of frames long printed
        }
        marks_.emplace_back(received, index);
    }
    [[nodiscard]] std::uint64_t index_of(std::uint64_t received) const {
        auto mark = std::upper_bound(marks_.begin(), marks_.end(), received,
                                     [](std::uint64_t at, const auto& m) { return at < m.first; });
        if (mark == marks_.begin()) {
            return received;
        }
        --mark;
        return mark->second + (received - mark->first);
    }

private:
    static constexpr std::ptrdiff_t kMostMarks = 4'096;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> marks_;
};

class Listener {
public:
    Listener(OnAir& radio, const ListenOptions& options, FramePrinter& printer, station::Recorder* recorder)
        : radio_(radio), options_(options), printer_(printer), recorder_(recorder), receiver_(config()) {}

    /// False: the output cannot be written.
    bool run() {
        const double rate = radio_.profile().sample_rate_hz;
        while (!stop_requested() && fine_) {
            const auto got = radio_.receive();
            if (!got || got->samples.empty()) {
                continue;
            }
            take(*got);
            if (options_.seconds > 0.0 && static_cast<double>(next_ - first_) >= options_.seconds * rate) {
                break;
            }
        }
        receiver_.flush();
        poll();
        return fine_;
    }
    [[nodiscard]] const phy::Receiver& receiver() const noexcept { return receiver_; }
    [[nodiscard]] std::uint64_t samples_lost() const noexcept { return lost_; }
    [[nodiscard]] double seconds() const {
        return static_cast<double>(next_ - first_) / radio_.profile().sample_rate_hz;
    }

private:
    [[nodiscard]] phy::Receiver::Config config() const {
        phy::Receiver::Config out;
        out.profile = &radio_.profile();
        out.decode_threads = options_.decode_threads;
        return out;
    }
    void take(const station::Radio::Reception& got) {
        if (!started_ || got.first_index < next_) {
            first_ = got.first_index;
            started_ = true;
            timeline_.mark(received_, got.first_index);
        } else if (got.first_index != next_) {
            const std::uint64_t gap = got.first_index - next_;
            lost_ += gap;
            push(std::vector<phy::Sample>(static_cast<std::size_t>(std::min(gap, kMostSilence))));
            timeline_.mark(received_, got.first_index);
        }
        next_ = got.first_index + got.samples.size();
        if (recorder_ != nullptr) {
            recorder_->write(got.first_index, got.samples);
        }
        push(got.samples);
    }
    void push(const std::vector<phy::Sample>& samples) {
        receiver_.push(samples);
        received_ += samples.size();
        poll();
    }
    void poll() {
        while (const auto frame = receiver_.poll_frame()) {
            const std::uint64_t index = timeline_.index_of(frame->sample_index);
            fine_ =
                printer_.print(*frame, {index, static_cast<double>(index) / radio_.profile().sample_rate_hz}) && fine_;
        }
    }

    OnAir& radio_;
    const ListenOptions& options_;
    FramePrinter& printer_;
    station::Recorder* recorder_;
    phy::Receiver receiver_;
    Timeline timeline_;
    std::uint64_t first_ = 0, next_ = 0, received_ = 0, lost_ = 0;
    bool started_ = false, fine_ = true;
};

void print_summary(const Listener& l, const FramePrinter& printer, const station::RadioCounters& radio, bool json) {
    const auto& c = l.receiver().counters();
    if (json) {
        nlohmann::ordered_json summary{{"seconds", l.seconds()},     {"samples_lost", l.samples_lost()},
                                       {"preambles", c.preambles},   {"headers_ok", c.headers_ok},
                                       {"frames", printer.frames()}, {"frames_ok", c.frames_ok}};
        visit_counters(radio, [&summary](const char* name, const auto& value) { summary[name] = value; });
        std::puts(json_line({{"summary", summary}}).c_str());
        return;
    }
    std::printf("%llu frames, %llu without error, in %.1f s; %llu preambles; %llu samples lost, %llu overruns\n",
                static_cast<unsigned long long>(printer.frames()), static_cast<unsigned long long>(c.frames_ok),
                l.seconds(), static_cast<unsigned long long>(c.preambles),
                static_cast<unsigned long long>(l.samples_lost()), static_cast<unsigned long long>(radio.overruns));
}

}  // namespace

int listen(const RadioOptions& radio_options, const phy::Profile& profile, const ListenOptions& options) {
    auto config = radio_config(radio_options, profile);
    if (!config) {
        return complain(config.error());
    }
    (void)stop_requested();
    auto radio = OnAir::open(std::move(config).value());
    if (!radio) {
        return complain(radio.error());
    }
    std::unique_ptr<std::FILE, CloseFile> payload;
    if (!options.output.empty()) {
        payload.reset(std::fopen(options.output.c_str(), "wbe"));
        if (!payload) {
            return complain(options.output + " cannot be written: " + host::reason(errno), 1);
        }
    }
    std::shared_ptr<station::Recorder> recorder;
    if (!options.record.empty()) {
        auto made = station::Recorder::create(options.record, radio->profile().sample_rate_hz, false,
                                              [](const std::string& line) { complain("warning: " + line, 0); });
        if (!made) {
            return complain(made.error());
        }
        recorder = std::move(*made);
    }
    FramePrinter printer(options.json, payload.get());
    Listener listener(*radio, options, printer, recorder.get());
    const bool fine = listener.run();
    if (!fine || (payload && std::fflush(payload.get()) != 0)) {
        return complain("output cannot be written: " + host::reason(errno), 1);
    }
    print_summary(listener, printer, radio->counters(), options.json);
    return 0;
}

}  // namespace meshnet::apps
