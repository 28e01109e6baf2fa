// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_uhd.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>
#include <uhd/stream.hpp>
#include <uhd/types/tune_request.hpp>
#include <uhd/usrp/multi_usrp.hpp>
#include <uhd/utils/log_add.hpp>

#include "station/radio/front_end.hpp"
#include "station/radio/sdr_device.hpp"

namespace meshnet::station {

namespace {

using uhd::usrp::multi_usrp;

std::vector<RateRange> ranges_of(const uhd::meta_range_t& list) {
    std::vector<RateRange> out;
    for (const auto& r : list) {
        out.push_back({r.start(), r.stop(), r.step()});
    }
    return out;
}

class UhdDevice final : public SdrDevice {
public:
    explicit UhdDevice(multi_usrp::sptr usrp) : usrp_(std::move(usrp)) {}
    ~UhdDevice() override {
        try {
            if (rx_) {
                rx_->issue_stream_cmd(uhd::stream_cmd_t::STREAM_MODE_STOP_CONTINUOUS);
            }
        } catch (const std::exception& e) {
            spdlog::debug("closing the radio: {}", first_line(e.what()));
        }
    }

    /// Throws what UHD throws.
    Status configure(const phy::Profile& profile, const RadioSettings& settings);

    const SdrTraits& traits() const override { return traits_; }

    Status start() override {
        return guarded("receiving does not begin", [&]() -> Status {
            uhd::stream_cmd_t command(uhd::stream_cmd_t::STREAM_MODE_START_CONTINUOUS);
            command.stream_now = true;
            rx_->issue_stream_cmd(command);
            return Ok{};
        });
    }

    Result<Block> read(std::span<phy::Sample> into, Duration timeout) override {
        try {
            uhd::rx_metadata_t meta;
            Block out;
            out.samples = rx_->recv(into.data(), into.size(), meta, to_seconds(timeout), true);
            switch (meta.error_code) {
                case uhd::rx_metadata_t::ERROR_CODE_NONE:
                case uhd::rx_metadata_t::ERROR_CODE_TIMEOUT:
                    break;
                case uhd::rx_metadata_t::ERROR_CODE_OVERFLOW:
                    out.overrun = true;
                    break;
                case uhd::rx_metadata_t::ERROR_CODE_LATE_COMMAND:
                    return start() ? Result<Block>(out) : Error{ErrorCode::kUnavailable, "receiving does not begin"};
                default:
                    return Error{ErrorCode::kUnavailable, "the radio stopped receiving: " + meta.strerror()};
            }
            if (out.samples > 0 && meta.has_time_spec) {
                out.ticks = meta.time_spec.to_ticks(traits_.sample_rate_hz);
            }
            return out;
        } catch (const std::exception& e) {
            return Error{ErrorCode::kUnavailable, "the radio stopped receiving: " + first_line(e.what())};
        }
    }

    Status write(std::span<const phy::Sample> samples, std::optional<std::int64_t> ticks, bool last) override {
        return guarded("the radio stopped transmitting", [&]() -> Status {
            uhd::tx_metadata_t meta;
            meta.start_of_burst = ticks.has_value();
            meta.has_time_spec = ticks.has_value();
            if (ticks) {
                meta.time_spec = uhd::time_spec_t::from_ticks(*ticks, traits_.sample_rate_hz);
            }
            meta.end_of_burst = last;
            // send() waits until the device has room: for a burst in the future as long as it is ahead.
            const double ahead =
                ticks ? static_cast<double>(*ticks - now_ticks().value_or(*ticks)) / traits_.sample_rate_hz : 0.0;
            while (!samples.empty()) {
                const std::size_t took = tx_->send(samples.data(), samples.size(), meta, std::max(0.0, ahead) + 1.0);
                if (took == 0) {
                    return Error{ErrorCode::kUnavailable, "the radio takes no samples"};
                }
                samples = samples.subspan(took);
                meta.start_of_burst = meta.has_time_spec = false;
            }
            return Ok{};
        });
    }

    std::optional<Event> poll_event(Duration timeout) override {
        if (!tx_) {
            return std::nullopt;
        }
        uhd::async_metadata_t meta;
        try {
            if (!tx_->recv_async_msg(meta, to_seconds(timeout))) {
                return std::nullopt;
            }
        } catch (const std::exception&) {
            return std::nullopt;
        }
        const auto ticks = meta.has_time_spec
                               ? std::optional<std::int64_t>(meta.time_spec.to_ticks(traits_.sample_rate_hz))
                               : std::nullopt;
        switch (meta.event_code) {
            case uhd::async_metadata_t::EVENT_CODE_BURST_ACK:
                return Event{Event::Kind::kSent, ticks};
            case uhd::async_metadata_t::EVENT_CODE_TIME_ERROR:
                return Event{Event::Kind::kLate, ticks};
            default:
                return Event{Event::Kind::kUnderrun, ticks};
        }
    }

    std::optional<std::int64_t> now_ticks() override {
        try {
            return usrp_->get_time_now().to_ticks(traits_.sample_rate_hz);
        } catch (const std::exception&) {
            return std::nullopt;
        }
    }

    std::string trouble() override {
        return lock_trouble(lock_sensors_,
                            [this](const std::string& sensor) { return usrp_->get_mboard_sensor(sensor).to_bool(); });
    }

private:
    template <class F>
    Status guarded(const char* what, F&& call) {
        try {
            return call();
        } catch (const std::exception& e) {
            return Error{ErrorCode::kUnavailable, std::string(what) + ": " + first_line(e.what())};
        }
    }
    Status set_sources(const RadioSettings& settings);
    Status set_rate(const phy::Profile& profile, const RadioSettings& settings);
    Status set_gains(const RadioSettings& settings);
    Status set_antennas(const RadioSettings& settings);
    void set_time();

    multi_usrp::sptr usrp_;
    uhd::rx_streamer::sptr rx_;
    uhd::tx_streamer::sptr tx_;
    SdrTraits traits_;
    std::vector<std::string> lock_sensors_;
};

Status UhdDevice::set_sources(const RadioSettings& settings) {
    const auto clock = front_end_choice(usrp_->get_clock_sources(0), settings.clock_source, "clock_source");
    if (!clock) {
        return clock.error();
    }
    if (!clock->empty()) {
        usrp_->set_clock_source(*clock);
    }
    const auto time = front_end_choice(usrp_->get_time_sources(0), settings.time_source, "time_source");
    if (!time) {
        return time.error();
    }
    if (!time->empty()) {
        usrp_->set_time_source(*time);
    }
    lock_sensors_ = lock_sensors(usrp_->get_mboard_sensor_names(0), *clock, *time);
    return Ok{};
}

Status UhdDevice::set_rate(const phy::Profile& profile, const RadioSettings& settings) {
    const auto rate = front_end_rate(ranges_of(usrp_->get_rx_rates(0)), profile, settings, 0.0);
    if (!rate) {
        return rate.error();
    }
    usrp_->set_rx_rate(*rate, 0);
    traits_.sample_rate_hz = usrp_->get_rx_rate(0);
    if (traits_.transmits) {
        usrp_->set_tx_rate(traits_.sample_rate_hz, 0);
        if (std::abs(usrp_->get_tx_rate(0) - traits_.sample_rate_hz) > 1e-6 * traits_.sample_rate_hz) {
            return Error{ErrorCode::kUnsupported, "the radio cannot transmit at the rate it receives with"};
        }
    }
    return Ok{};
}

Status UhdDevice::set_gains(const RadioSettings& settings) {
    const auto rx_range = usrp_->get_rx_gain_range(0);
    const auto rx = front_end_gain(rx_range.start(), rx_range.stop(), settings.rx_gain_db, 0.6, "rx_gain_db");
    if (!rx) {
        return rx.error();
    }
    usrp_->set_rx_gain(*rx, 0);
    if (traits_.transmits) {
        const auto tx_range = usrp_->get_tx_gain_range(0);
        const auto tx = front_end_gain(tx_range.start(), tx_range.stop(), settings.tx_gain_db, 0.0, "tx_gain_db");
        if (!tx) {
            return tx.error();
        }
        usrp_->set_tx_gain(*tx, 0);
    }
    return Ok{};
}

Status UhdDevice::set_antennas(const RadioSettings& settings) {
    const auto rx = front_end_choice(usrp_->get_rx_antennas(0), settings.rx_antenna, "rx_antenna");
    if (!rx) {
        return rx.error();
    }
    if (!rx->empty()) {
        usrp_->set_rx_antenna(*rx, 0);
    }
    if (traits_.transmits) {
        const auto tx = front_end_choice(usrp_->get_tx_antennas(0), settings.tx_antenna, "tx_antenna");
        if (!tx) {
            return tx.error();
        }
        if (!tx->empty()) {
            usrp_->set_tx_antenna(*tx, 0);
        }
    }
    return Ok{};
}

void UhdDevice::set_time() {
    const std::string source = usrp_->get_time_source(0);
    if (source.empty() || source == "internal" || source == "none") {
        usrp_->set_time_now(uhd::time_spec_t(0.0));
        return;
    }
    usrp_->set_time_next_pps(uhd::time_spec_t(0.0));
    std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
}

Status UhdDevice::configure(const phy::Profile& profile, const RadioSettings& settings) {
    traits_.name = usrp_->get_mboard_name(0);
    traits_.transmits = usrp_->get_tx_num_channels() > 0;
    const auto frequency = front_end_frequency(ranges_of(usrp_->get_rx_freq_range(0)), settings);
    if (!frequency) {
        return frequency.error();
    }
    if (auto done = set_sources(settings); !done) {
        return done;
    }
    if (auto done = set_rate(profile, settings); !done) {
        return done;
    }
    // The USRP's own mixer takes the offset out again, so that nothing is left of it in the samples.
    const double offset = settings.offset_tuning ? 0.75 * profile.sample_rate_hz : 0.0;
    usrp_->set_rx_freq(uhd::tune_request_t(*frequency, offset), 0);
    const double tuned = usrp_->get_rx_freq(0);
    if (std::abs(tuned - *frequency) > std::max(100.0, 1e-6 * *frequency)) {
        return Error{ErrorCode::kUnsupported,
                     "the radio tuned to " + std::to_string(tuned) + " Hz instead of " + std::to_string(*frequency)};
    }
    const double bandwidth =
        settings.bandwidth_hz > 0.0 ? settings.bandwidth_hz : 2.0 * offset + profile.occupied_bandwidth_hz();
    usrp_->set_rx_bandwidth(bandwidth, 0);
    if (traits_.transmits) {
        usrp_->set_tx_freq(uhd::tune_request_t(*frequency), 0);
        usrp_->set_tx_bandwidth(bandwidth, 0);
    }
    if (auto done = set_gains(settings); !done) {
        return done;
    }
    if (auto done = set_antennas(settings); !done) {
        return done;
    }
    set_time();
    rx_ = usrp_->get_rx_stream(uhd::stream_args_t("fc32", "sc16"));
    if (traits_.transmits) {
        tx_ = usrp_->get_tx_stream(uhd::stream_args_t("fc32", "sc16"));
    }
    return Ok{};
}

// UHD writes to the console; its warnings and errors belong into our log.
void log_like_ours() {
    static const bool once = [] {
        ::setenv("UHD_LOG_CONSOLE_LEVEL", "off", 0);  // read before its first line, which says nothing but its version
        uhd::log::set_console_level(uhd::log::off);
        uhd::log::add_logger("meshnet", [](const uhd::log::logging_info& info) {
            if (info.verbosity >= uhd::log::error) {
                spdlog::error("UHD {}: {}", info.component, first_line(info.message.c_str()));
            } else if (info.verbosity >= uhd::log::warning) {
                spdlog::warn("UHD {}: {}", info.component, first_line(info.message.c_str()));
            }
        });
        return true;
    }();
    (void)once;
}

}  // namespace

Status check_uhd_radio(const std::string& rest) {
    if (!rest.empty() && rest.find('=') == std::string::npos) {
        return Error{ErrorCode::kInvalidArgument,
                     "needs KEY=VALUE behind the colon (uhd_find_devices lists the radios)"};
    }
    return Ok{};
}

Result<std::unique_ptr<Radio>> open_uhd_radio(const std::string& rest, const phy::Profile& profile,
                                              const RadioSettings& settings) {
    log_like_ours();
    return open_front_end<UhdDevice>(
        "uhd:" + rest, "uhd_find_devices", [&rest] { return std::make_unique<UhdDevice>(multi_usrp::make(rest)); },
        profile, settings);
}

}  // namespace meshnet::station
