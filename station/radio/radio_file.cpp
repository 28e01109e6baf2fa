// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_file.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "host/unique_fd.hpp"
#include "station/radio/iq_file.hpp"

namespace meshnet::station {

namespace {

constexpr long kTickNs = 2'000'000;  // samples are handed out every 2 ms
constexpr std::uint64_t kMostTicksAtOnce = 50;

class FileRadio final : public Radio {
public:
    FileRadio(host::UniqueFd file, host::UniqueFd timer, IqFormat format, node::SampleRate rate)
        : file_(std::move(file)), timer_(std::move(timer)), decoder_(format), clock_(rate) {}

    node::SampleRate sample_rate() const override { return clock_.rate(); }
    int fd() const override { return timer_.get(); }

    Result<Reception> receive() override {
        Reception out;
        out.first_index = next_index_;
        std::uint64_t ticks = 0;
        if (::read(timer_.get(), &ticks, sizeof ticks) == static_cast<ssize_t>(sizeof ticks)) {
            // After a long pause the recording goes on where it was: it has no clock of its own that would run away.
            elapsed_ += Duration{kTickNs} * static_cast<std::int64_t>(std::min(ticks, kMostTicksAtOnce));
        }
        out.reports.swap(refused_);
        const std::uint64_t due = clock_.to_index(Instant{elapsed_});
        std::uint8_t buffer[16'384];
        while (next_index_ < due && !end_) {
            const std::size_t want = std::min<std::size_t>(
                sizeof buffer, static_cast<std::size_t>(due - next_index_) * decoder_.bytes_per_sample());
            const ssize_t n = ::read(file_.get(), buffer, want);
            if (n < 0 && errno != EINTR) {
                return host::system_error("the recording cannot be read", errno);
            }
            end_ = n == 0;
            if (n > 0) {
                const std::size_t before = out.samples.size();
                decoder_.decode({buffer, static_cast<std::size_t>(n)}, out.samples);
                next_index_ += out.samples.size() - before;
            }
        }
        out.end = end_;
        return out;
    }

    Status transmit(std::uint64_t id, std::uint64_t /*at*/, std::span<const phy::Sample> /*burst*/) override {
        refused_.push_back({id, false, 0});
        return Ok{};
    }

private:
    host::UniqueFd file_, timer_;
    IqDecoder decoder_;
    node::SampleClock clock_;
    Duration elapsed_{};
    std::uint64_t next_index_ = 0;
    std::vector<TxReport> refused_;
    bool end_ = false;
};

class RecordingRadio final : public Radio {
public:
    RecordingRadio(std::unique_ptr<Radio> radio, std::FILE* data, std::string path, void (*warn)(const std::string&))
        : radio_(std::move(radio)), data_(data), path_(std::move(path)), warn_(warn) {
        meta_.format = IqFormat::kCf32;
        meta_.sample_rate_hz = radio_->sample_rate().hz();
        meta_.description = "received samples of a meshnet station";
    }
    ~RecordingRadio() override { finish(); }

    node::SampleRate sample_rate() const override { return radio_->sample_rate(); }
    int fd() const override { return radio_->fd(); }
    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        return radio_->transmit(id, at, burst);
    }

    Result<Reception> receive() override {
        auto got = radio_->receive();
        if (got && data_ != nullptr && !got->samples.empty()) {
            if (meta_.captures.empty() || got->first_index != next_index_) {
                meta_.captures.push_back({written_, got->first_index});
            }
            next_index_ = got->first_index + got->samples.size();
            written_ += got->samples.size();
            if (std::fwrite(got->samples.data(), sizeof(phy::Sample), got->samples.size(), data_) !=
                got->samples.size()) {
                warn_("recording " + path_ + " ended: " + host::reason(errno));
                finish();
            }
        }
        return got;
    }

private:
    void finish() {
        if (data_ == nullptr) {
            return;
        }
        const bool closed = std::fclose(std::exchange(data_, nullptr)) == 0;
        auto written = write_sigmf_meta(path_, meta_);
        if (!closed || !written) {
            warn_("recording " + path_ +
                  " is not complete: " + (closed ? written.error().message : host::reason(errno)));
        }
    }

    std::unique_ptr<Radio> radio_;
    std::FILE* data_;
    std::string path_;
    void (*warn_)(const std::string&);
    SigmfMeta meta_;
    std::uint64_t next_index_ = 0, written_ = 0;
};

}  // namespace

Status check_file_radio(const std::string& rest) {
    if (rest.empty()) {
        return Error{ErrorCode::kInvalidArgument, "names no file"};
    }
    return Ok{};
}

Result<std::unique_ptr<Radio>> open_file_radio(const std::string& path, const phy::Profile& profile) {
    host::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) {
        return host::system_error("recording " + path + " cannot be opened", errno);
    }
    host::UniqueFd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    itimerspec spec{};
    spec.it_interval.tv_nsec = kTickNs;
    spec.it_value.tv_nsec = kTickNs;
    if (!timer || ::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) {
        return host::system_error("no timer for the recording", errno);
    }
    return std::unique_ptr<Radio>(std::make_unique<FileRadio>(
        std::move(file), std::move(timer), iq_format_of_path(path), node::SampleRate::from_hz(profile.sample_rate_hz)));
}

Result<std::unique_ptr<Radio>> record_radio(std::unique_ptr<Radio> radio, const std::string& path,
                                            void (*warn)(const std::string& line)) {
    std::FILE* data = std::fopen(path.c_str(), "wbe");
    if (data == nullptr) {
        return host::system_error("recording " + path + " cannot be made", errno);
    }
    return std::unique_ptr<Radio>(std::make_unique<RecordingRadio>(std::move(radio), data, path, warn));
}

}  // namespace meshnet::station
