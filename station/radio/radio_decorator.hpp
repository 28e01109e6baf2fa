// SPDX-License-Identifier: GPL-3.0-or-later
// A radio around another that changes some of what passes: everything it does not override goes through.
#pragma once

#include <memory>
#include <utility>

#include "station/radio/radio.hpp"

namespace meshnet::station {

class RadioDecorator : public Radio {
public:
    explicit RadioDecorator(std::unique_ptr<Radio> radio) : radio_(std::move(radio)) {}

    node::SampleRate sample_rate() const override { return radio_->sample_rate(); }
    int fd() const override { return radio_->fd(); }
    Result<Reception> receive() override { return radio_->receive(); }
    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        return radio_->transmit(id, at, burst);
    }
    void sign_off() override { radio_->sign_off(); }
    bool signing_off() const override { return radio_->signing_off(); }
    mac::RadioTiming timing() const override { return radio_->timing(); }
    void calibrate() override { radio_->calibrate(); }
    RadioCounters counters() const override { return radio_->counters(); }

protected:
    std::unique_ptr<Radio> radio_;
};

}  // namespace meshnet::station
