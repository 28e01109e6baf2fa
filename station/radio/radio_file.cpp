// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_file.hpp"

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

#include "core/names.hpp"
#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "station/radio/recording.hpp"
#include "station/radio/resampler.hpp"

namespace meshnet::station {

namespace {

constexpr long kTickNs = 2'000'000;  // samples are handed out every 2 ms
constexpr std::uint64_t kMostTicksAtOnce = 50;

class FileRadio final : public Radio {
public:
    FileRadio(Recording recording, host::UniqueFd timer, double profile_hz, double recorded_hz, Resampler resampler)
        : recording_(std::move(recording)),
          timer_(std::move(timer)),
          clock_(node::SampleRate::from_hz(profile_hz)),
          scale_(profile_hz / recorded_hz),
          resampler_(std::move(resampler)) {}

    node::SampleRate sample_rate() const override { return clock_.rate(); }
    int fd() const override { return timer_.get(); }

    Result<Reception> receive() override {
        Reception out;
        out.reports.swap(refused_);
        std::uint64_t ticks = 0;
        if (::read(timer_.get(), &ticks, sizeof ticks) == static_cast<ssize_t>(sizeof ticks)) {
            // After a long pause the recording goes on where it was: it has no clock of its own that would run away.
            elapsed_ += Duration{kTickNs} * static_cast<std::int64_t>(std::min(ticks, kMostTicksAtOnce));
        }
        const std::uint64_t due = clock_.to_index(Instant{elapsed_});
        std::uint64_t played = played_;
        while (played < due) {
            if (used_ == ready_.size()) {
                auto more = fill(!out.samples.empty());
                if (!more) {
                    return more.error();
                }
                if (!*more) {
                    break;  // the end, or a gap: the next call begins behind it
                }
            }
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(due - played, ready_.size() - used_));
            if (out.samples.empty()) {
                out.first_index = next_index_;
            }
            out.samples.insert(out.samples.end(), ready_.begin() + static_cast<std::ptrdiff_t>(used_),
                               ready_.begin() + static_cast<std::ptrdiff_t>(used_ + n));
            used_ += n;
            played += n;
            next_index_ += n;
        }
        if (out.samples.empty()) {
            out.first_index = next_index_;
        }
        played_ = played;
        out.end = end_ && used_ == ready_.size();
        return out;
    }

    Status transmit(std::uint64_t id, std::uint64_t /*at*/, std::span<const phy::Sample> /*burst*/) override {
        refused_.push_back({id, false, 0});
        return Ok{};
    }

private:
    /// Makes samples ready. False: there are none, or they stand behind a gap and `contiguous` ones are wanted.
    Result<bool> fill(bool contiguous) {
        ready_.clear();
        used_ = 0;
        while (ready_.empty()) {
            if (!held_) {
                auto more = recording_.read(piece_);
                if (!more) {
                    return more.error();
                }
                if (!*more) {
                    if (!std::exchange(end_, true)) {
                        resampler_.flush(ready_);
                    }
                    return !ready_.empty();
                }
            }
            held_ = piece_.time_index != next_time_;
            if (held_ && contiguous) {
                return false;
            }
            if (held_) {
                held_ = false;
                resampler_.reset();
                next_index_ =
                    std::max(next_index_,
                             static_cast<std::uint64_t>(std::llround(static_cast<double>(piece_.time_index) * scale_)));
            }
            next_time_ = piece_.time_index + piece_.samples.size();
            resampler_.process(piece_.samples, ready_);
        }
        return true;
    }

    Recording recording_;
    host::UniqueFd timer_;
    node::SampleClock clock_;
    double scale_;  ///< samples played for one recorded
    Resampler resampler_;
    Duration elapsed_{};
    Recording::Piece piece_;
    bool held_ = false;  // piece_ stands behind a gap and waits for the next call
    std::vector<phy::Sample> ready_;
    std::size_t used_ = 0;
    std::uint64_t next_time_ = 0;                // of the recording
    std::uint64_t next_index_ = 0, played_ = 0;  // of what is played, with and without gaps
    std::vector<TxReport> refused_;
    bool end_ = false;
};

struct FileDevice {
    std::string path;
    RecordingOptions options;
};

/// PATH,format=NAME,rate=HZ,channel=N: known options are taken off the end.
Result<FileDevice> parse_file_device(const std::string& rest) {
    FileDevice out;
    out.path = rest;
    out.options.say_format = "write ,format=NAME behind its name";
    out.options.say_both = "write ,rate=HZ,format=NAME behind the name of the recording";
    out.options.say_channel = "write ,channel=N behind the name of the recording, with N";
    for (;;) {
        const std::size_t comma = out.path.rfind(',');
        const std::size_t equals = comma == std::string::npos ? comma : out.path.find('=', comma);
        if (equals == std::string::npos) {
            break;
        }
        const std::string name = out.path.substr(comma + 1, equals - comma - 1);
        const std::string value = out.path.substr(equals + 1);
        char* end = nullptr;
        const double number = std::strtod(value.c_str(), &end);
        const bool is_number = !value.empty() && *end == '\0' && number >= 1.0 && number <= 1e9;
        if (name == "format") {
            auto format = parse_iq_format(value);
            if (!format) {
                return Error{ErrorCode::kInvalidArgument, "has an " + format.error().message};
            }
            out.options.format = *format;
        } else if (name == "rate" && is_number) {
            out.options.rate_hz = number;
        } else if (name == "channel" && is_number && number == std::floor(number) && number <= 1'000) {
            out.options.channel = static_cast<unsigned>(number);
        } else if (name == "rate" || name == "channel") {
            return Error{ErrorCode::kInvalidArgument, "has no " + name + " in " + meshnet::quoted(value)};
        } else {
            break;  // a comma of the file's name
        }
        out.path.resize(comma);
    }
    if (out.path.empty()) {
        return Error{ErrorCode::kInvalidArgument, "names no file"};
    }
    return out;
}

}  // namespace

Status check_file_radio(const std::string& rest) {
    auto device = parse_file_device(rest);
    if (!device) {
        return device.error();
    }
    return Ok{};
}

Result<std::unique_ptr<Radio>> open_file_radio(const std::string& rest, const phy::Profile& profile,
                                               const RadioSettings&) {
    auto device = parse_file_device(rest);
    if (!device) {
        return device.error();
    }
    auto recording = Recording::open(device->path, device->options);
    if (!recording) {
        return recording.error();
    }
    for (const std::string& line : recording->warnings()) {
        spdlog::warn("{}", line);
    }
    const double wanted = profile.sample_rate_hz;
    const double rate = rate_or_near(recording->rate_hz().value_or(wanted), wanted);
    if (rate < profile.occupied_bandwidth_hz() || rate > kMaxRateHz) {
        return Error{ErrorCode::kInvalidArgument, "recording " + device->path + " has " + rate_text(rate) +
                                                      " samples/s, which cannot hold profile " +
                                                      std::string(profile.name) + " of " + rate_text(wanted) +
                                                      " samples/s"};
    }
    auto resampler = Resampler::create(rate, wanted);
    if (!resampler) {
        return resampler.error();
    }
    spdlog::info("recording {}: {} ({}), {} samples/s{}", device->path, iq_format_name(recording->format()),
                 recording->format_source(), rate_text(recording->rate_hz().value_or(wanted)),
                 rate == wanted ? "" : ", resampled");
    host::UniqueFd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    itimerspec spec{};
    spec.it_interval.tv_nsec = kTickNs;
    spec.it_value.tv_nsec = kTickNs;
    if (!timer || ::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) {
        return host::system_error("no timer for the recording", errno);
    }
    return std::unique_ptr<Radio>(std::make_unique<FileRadio>(std::move(recording).value(), std::move(timer), wanted,
                                                              rate, std::move(resampler).value()));
}

}  // namespace meshnet::station
