// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/recorder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "host/file.hpp"
#include "host/text.hpp"
#include "station/radio/radio_decorator.hpp"

namespace meshnet::station {

namespace {

constexpr int kMetadataShare = 20;  // writing metadata takes one part in so many of the time

class RecordingRadio final : public RadioDecorator {
public:
    RecordingRadio(std::unique_ptr<Radio> radio, std::shared_ptr<Recorder> recorder)
        : RadioDecorator(std::move(radio)), recorder_(std::move(recorder)) {
        recorder_->begin_capture();
    }

    Result<Reception> receive() override {
        auto got = radio_->receive();
        if (got && !got->samples.empty()) {
            recorder_->write(got->first_index, got->samples);
        }
        return got;
    }

private:
    std::shared_ptr<Recorder> recorder_;
};

}  // namespace

Status check_new_file(const std::string& path, bool force) {
    struct stat about {};
    for (const std::string& name : {path, sigmf_meta_path(path)}) {
        if (!force && ::stat(name.c_str(), &about) == 0 && S_ISREG(about.st_mode)) {
            return Error{ErrorCode::kAlreadyExists, name + " is there already; choose another name, or give --force"};
        }
    }
    return Ok{};
}

Result<std::shared_ptr<Recorder>> Recorder::create(const std::string& path, double sample_rate_hz, bool force,
                                                   Warn warn) {
    if (auto fresh = check_new_file(path, force); !fresh) {
        return Error{fresh.error().code, "recording " + fresh.error().message};
    }
    host::UniqueFd data{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (!data) {
        return host::system_error("recording " + path + " cannot be made", errno);
    }
    struct stat about {};
    if (::fstat(data.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
        return Error{ErrorCode::kInvalidArgument, "recording " + path + " is no regular file"};
    }
    std::shared_ptr<Recorder> recorder(new Recorder(std::move(data), path, sample_rate_hz, std::move(warn)));
    if (auto written = write_sigmf_meta(path, recorder->meta_); !written) {
        return Error{written.error().code, "recording " + path + " cannot be made: " + written.error().message};
    }
    return recorder;
}

Recorder::Recorder(host::UniqueFd data, std::string path, double sample_rate_hz, Warn warn)
    : data_(std::move(data)), path_(std::move(path)), warn_(std::move(warn)) {
    meta_.format = IqFormat::kCf32;
    meta_.sample_rate_hz = sample_rate_hz;
    meta_.description = "received samples of a meshnet station";
}

Recorder::~Recorder() {
    if (data_ && metadata_due_) {
        write_metadata();
    }
}

void Recorder::write(std::uint64_t first_index, std::span<const phy::Sample> samples) {
    if (!data_) {
        return;
    }
    if (!continues_ || first_index != next_index_) {
        meta_.captures.push_back({written_, first_index});
        metadata_due_ = true;
    }
    continues_ = true;
    next_index_ = first_index + samples.size();
    // Before the samples: a capture without samples can be read, samples without their capture cannot be placed.
    if (metadata_due_ && Clock::now() >= next_metadata_) {
        write_metadata();
    }
    if (!data_) {
        return;
    }
    bytes_.clear();
    encode_iq(IqFormat::kCf32, samples.data(), samples.size(), bytes_);
    if (auto done = host::write_all(data_.get(), bytes_, path_); !done) {
        end(done.error().message);
        return;
    }
    written_ += samples.size();
}

void Recorder::write_metadata() {
    const auto before = Clock::now();
    if (auto written = write_sigmf_meta(path_, meta_); !written) {
        end(written.error().message);
        return;
    }
    metadata_due_ = false;
    const auto after = Clock::now();
    next_metadata_ = after + kMetadataShare * (after - before);
}

void Recorder::end(const std::string& why) {
    // What was written of a sample goes; the samples before it and the metadata are right.
    struct stat about {};
    bool cut = ::fstat(data_.get(), &about) == 0;
    cut = cut && ::ftruncate(data_.get(), about.st_size - about.st_size % static_cast<off_t>(sizeof(phy::Sample))) == 0;
    data_.reset();
    bool complete = true;
    if (metadata_due_) {
        complete = write_sigmf_meta(path_, meta_).ok();
    }
    warn_("recording ended: " + why + "; what was received before is kept" +
          (complete && cut ? "" : ", but not where its last gaps are"));
}

std::unique_ptr<Radio> record_radio(std::unique_ptr<Radio> radio, std::shared_ptr<Recorder> recorder) {
    return std::make_unique<RecordingRadio>(std::move(radio), std::move(recorder));
}

}  // namespace meshnet::station
