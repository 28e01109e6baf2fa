// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/meshair_device.hpp"

#include <SoapySDR/Constants.h>
#include <SoapySDR/Errors.h>
#include <SoapySDR/Formats.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace meshnet::meshair {

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

constexpr double kFrequencyShiftHz = 30.72e6;  // of a digital down converter, either way

std::string text_of(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.10g", value);
    return text;
}

[[noreturn]] void refuse(const std::string& sentence) {
    throw std::runtime_error("meshair: " + sentence);
}

void check_range(const std::string& what, double value, const Span& range, const char* unit) {
    if (!(value >= range.low && value <= range.high)) {
        refuse(what + " " + text_of(value) + " " + unit + " is not within " + text_of(range.low) + ".." +
               text_of(range.high) + " " + unit);
    }
}

std::string list_of(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += (out.empty() ? "" : ", ") + name;
    }
    return out;
}

void check_name(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        refuse("no " + what + " is called '" + name + "'; known: " + (known.empty() ? "none" : list_of(known)));
    }
}

const GainElement& element_of(const DirectionModel& model, const std::string& name) {
    std::vector<std::string> known;
    for (const GainElement& element : model.gains) {
        if (element.name == name) {
            return element;
        }
        known.push_back(element.name);
    }
    check_name("gain", name, known);
    return model.gains.front();
}

/// Gains are not refused but limited and rounded down to a step, as in drivers of real radios.
double step_of(const GainElement& element, double value) {
    const double inside = std::clamp(std::isnan(value) ? element.low_db : value, element.low_db, element.high_db);
    return element.low_db + std::floor((inside - element.low_db) / element.step_db + 1e-9) * element.step_db;
}

VirtualRadio::Timeout timeout_of(long timeout_us) {
    return VirtualRadio::Timeout(std::clamp(timeout_us, 0L, 3'600'000'000L));
}

bool to_bool(const std::string& key, const std::string& value) {
    if (value != "true" && value != "false") {
        refuse("setting " + key + " must be true or false, not '" + value + "'");
    }
    return value == "true";
}

}  // namespace

MeshairDevice::MeshairDevice(std::unique_ptr<VirtualRadio> radio) : radio_(std::move(radio)) {
    transmit_.direction = Direction::kTransmit;
    for (Port* p : {&receive_, &transmit_}) {
        const DirectionModel& model = radio_->model().of(p->direction);
        p->antenna = model.antennas.front();
        for (const GainElement& element : model.gains) {
            p->gains[element.name] = element.start_db;
        }
        for (const std::string& name : radio_->model().frequency_elements) {
            p->frequencies[name] = 0.0;
        }
        p->frequencies["RF"] = radio_->settings(p->direction).frequency_hz;
    }
    if (!radio_->model().sources.empty()) {
        clock_source_ = time_source_ = radio_->model().sources.front();
    }
    for (const std::string& name : radio_->model().sensors) {
        sensors_[name] = true;
    }
}

MeshairDevice::Port& MeshairDevice::port(int direction, std::size_t channel) {
    if ((direction != SOAPY_SDR_RX && direction != SOAPY_SDR_TX) || channel != 0) {
        refuse("there is channel 0 of SOAPY_SDR_RX and of SOAPY_SDR_TX, no other");
    }
    return direction == SOAPY_SDR_RX ? receive_ : transmit_;
}

const MeshairDevice::Port& MeshairDevice::port(int direction, std::size_t channel) const {
    return const_cast<MeshairDevice*>(this)->port(direction, channel);  // NOLINT: reads only
}

MeshairDevice::Port* MeshairDevice::port_of(SoapySDR::Stream* stream) {
    auto* const pointer = reinterpret_cast<Port*>(stream);
    return pointer == &receive_ || pointer == &transmit_ ? pointer : nullptr;
}

const DirectionModel& MeshairDevice::model_of(int direction) const {
    return radio_->model().of(port(direction, 0).direction);
}

void MeshairDevice::check_here() const {
    if (const std::string why = radio_->gone(); !why.empty()) {
        refuse(why);
    }
}

int MeshairDevice::lost() const {
    if (radio_->model().has_time) {
        check_here();  // UHD throws out of its streams
    }
    return SOAPY_SDR_STREAM_ERROR;
}

// Identification

std::string MeshairDevice::getDriverKey() const {
    return "meshair";
}

std::string MeshairDevice::getHardwareKey() const {
    return "meshair-" + radio_->model().name;
}

SoapySDR::Kwargs MeshairDevice::getHardwareInfo() const {
    check_here();
    return {{"air", radio_->arguments().air},
            {"station", radio_->arguments().station},
            {"model", radio_->model().name},
            {"serial", radio_->arguments().station},
            {"name", radio_->arguments().station},
            {"air_rate_hz", text_of(radio_->air().rate_hz)},
            {"air_carrier_hz", text_of(radio_->air().carrier_hz)}};
}

std::size_t MeshairDevice::getNumChannels(int) const {
    return 1;
}

bool MeshairDevice::getFullDuplex(int, std::size_t) const {
    return radio_->model().has_time;
}

// Streams

std::vector<std::string> MeshairDevice::getStreamFormats(int, std::size_t) const {
    return sample_format_names();
}

std::string MeshairDevice::getNativeStreamFormat(int direction, std::size_t, double& full_scale) const {
    const bool bytes = model_of(direction).converter_bits <= 8;
    full_scale = bytes ? 128.0 : 32768.0;
    return bytes ? SOAPY_SDR_CS8 : SOAPY_SDR_CS16;
}

SoapySDR::Stream* MeshairDevice::setupStream(int direction, const std::string& format,
                                             const std::vector<std::size_t>& channels, const SoapySDR::Kwargs&) {
    check_here();
    const Lock lock(mutex_);
    if (channels.size() > 1) {
        refuse("the device has one channel in each direction");
    }
    Port& p = port(direction, channels.empty() ? 0 : channels.front());
    const auto wanted = sample_format(format);
    if (!wanted) {
        refuse("no sample format '" + format + "'; known: " + list_of(sample_format_names()));
    }
    if (p.opened) {
        refuse(std::string(direction == SOAPY_SDR_RX ? "the receive" : "the transmit") + " stream is open already");
    }
    p.opened = true;
    p.active = false;
    p.format = *wanted;
    return reinterpret_cast<SoapySDR::Stream*>(&p);
}

void MeshairDevice::closeStream(SoapySDR::Stream* stream) {
    (void)deactivateStream(stream, 0, 0);
    const Lock lock(mutex_);
    if (Port* const p = port_of(stream)) {
        p->opened = false;
    }
}

std::size_t MeshairDevice::getStreamMTU(SoapySDR::Stream*) const {
    return radio_->model().mtu;
}

int MeshairDevice::activateStream(SoapySDR::Stream* stream, int flags, long long time_ns, std::size_t count) {
    check_here();
    const Lock lock(mutex_);
    Port* const p = port_of(stream);
    if (p == nullptr || !p->opened) {
        return SOAPY_SDR_STREAM_ERROR;
    }
    p->active = true;
    const bool timed = (flags & SOAPY_SDR_HAS_TIME) != 0 && radio_->model().has_time;
    if (p->direction == Direction::kReceive) {
        radio_->start_receiving(timed ? std::optional<std::int64_t>(time_ns) : std::nullopt,
                                radio_->model().has_time ? count : 0);
    } else {
        radio_->start_transmitting();
    }
    return 0;
}

int MeshairDevice::deactivateStream(SoapySDR::Stream* stream, int, long long) {
    const Lock lock(mutex_);
    Port* const p = port_of(stream);
    if (p == nullptr || !p->opened) {
        return SOAPY_SDR_STREAM_ERROR;
    }
    if (!std::exchange(p->active, false)) {
        return 0;
    }
    if (p->direction == Direction::kReceive) {
        radio_->stop_receiving();
    } else {
        radio_->stop_transmitting();
    }
    return 0;
}

int MeshairDevice::readStream(SoapySDR::Stream* stream, void* const* buffers, std::size_t count, int& flags,
                              long long& time_ns, long timeout_us) {
    flags = 0;
    Port* const p = port_of(stream);
    if (p != &receive_) {
        return SOAPY_SDR_NOT_SUPPORTED;
    }
    const std::size_t wanted = std::min(count, radio_->model().mtu);
    if (wanted == 0) {
        return 0;
    }
    const bool direct = p->format == SampleFormat::kCf32;
    if (!direct) {
        p->samples.resize(wanted);
    }
    const std::span<phy::Sample> out(direct ? static_cast<phy::Sample*>(buffers[0]) : p->samples.data(), wanted);
    const auto got = radio_->read(out, timeout_of(timeout_us));
    if (!got) {
        return lost();
    }
    if (radio_->model().has_time && got->read.outcome != ReceivePath::Outcome::kNothing &&
        got->read.outcome != ReceivePath::Outcome::kLate) {
        flags |= SOAPY_SDR_HAS_TIME;
        time_ns = got->time_ns;
    }
    switch (got->read.outcome) {
        case ReceivePath::Outcome::kNothing:
            return SOAPY_SDR_TIMEOUT;
        case ReceivePath::Outcome::kOverflow:
            flags |= SOAPY_SDR_END_ABRUPT;
            return SOAPY_SDR_OVERFLOW;
        case ReceivePath::Outcome::kLate:
            return SOAPY_SDR_TIME_ERROR;
        case ReceivePath::Outcome::kSamples:
            break;
    }
    if (!direct) {
        write_samples(out.first(got->read.count), p->format, buffers[0]);
    }
    flags |= got->read.end ? SOAPY_SDR_END_BURST : 0;
    return static_cast<int>(got->read.count);
}

int MeshairDevice::writeStream(SoapySDR::Stream* stream, const void* const* buffers, std::size_t count, int& flags,
                               long long time_ns, long timeout_us) {
    Port* const p = port_of(stream);
    if (p != &transmit_) {
        return SOAPY_SDR_NOT_SUPPORTED;
    }
    const bool end = (flags & SOAPY_SDR_END_BURST) != 0 && count <= radio_->model().mtu;
    const std::size_t offered = std::min(count, radio_->model().mtu);
    std::span<const phy::Sample> in;
    if (offered > 0 && p->format == SampleFormat::kCf32) {
        in = {static_cast<const phy::Sample*>(buffers[0]), offered};
    } else if (offered > 0) {
        p->samples.resize(offered);
        read_samples(buffers[0], p->format, p->samples);
        in = p->samples;
    }
    const bool timed = (flags & SOAPY_SDR_HAS_TIME) != 0 && radio_->model().has_time;
    const auto taken =
        radio_->write(in, timed ? std::optional<std::int64_t>(time_ns) : std::nullopt, end, timeout_of(timeout_us));
    if (!taken) {
        return lost();
    }
    return *taken == 0 && offered > 0 ? SOAPY_SDR_TIMEOUT : static_cast<int>(*taken);
}

int MeshairDevice::readStreamStatus(SoapySDR::Stream* stream, std::size_t& channels, int& flags, long long& time_ns,
                                    long timeout_us) {
    flags = 0;
    if (port_of(stream) != &transmit_) {
        return SOAPY_SDR_NOT_SUPPORTED;
    }
    const auto got = radio_->status(timeout_of(timeout_us));
    if (!got) {
        return lost();
    }
    if (!got->has_value()) {
        return SOAPY_SDR_TIMEOUT;
    }
    const VirtualRadio::Reported& reported = **got;
    channels = 1;
    if (reported.time_ns) {
        flags |= SOAPY_SDR_HAS_TIME;
        time_ns = *reported.time_ns;
    }
    switch (reported.event) {
        case TransmitPath::Event::kBurstEnd:
            flags |= SOAPY_SDR_END_BURST;
            return 0;
        case TransmitPath::Event::kUnderflow:
            return SOAPY_SDR_UNDERFLOW;
        case TransmitPath::Event::kLate:
            return SOAPY_SDR_TIME_ERROR;
    }
    return SOAPY_SDR_NOT_SUPPORTED;
}

// Antennas

std::vector<std::string> MeshairDevice::listAntennas(int direction, std::size_t) const {
    return model_of(direction).antennas;
}

void MeshairDevice::setAntenna(int direction, std::size_t channel, const std::string& name) {
    check_here();
    check_name("antenna", name, model_of(direction).antennas);
    const Lock lock(mutex_);
    port(direction, channel).antenna = name;
}

std::string MeshairDevice::getAntenna(int direction, std::size_t channel) const {
    const Lock lock(mutex_);
    return port(direction, channel).antenna;
}

// Gains

std::vector<std::string> MeshairDevice::listGains(int direction, std::size_t) const {
    std::vector<std::string> out;
    for (const GainElement& element : model_of(direction).gains) {
        out.push_back(element.name);
    }
    return out;
}

void MeshairDevice::setGain(int direction, std::size_t channel, double value) {
    check_here();
    const Lock lock(mutex_);
    Port& p = port(direction, channel);
    // The elements in their order take as much as they can, but amplifiers of one step only when the rest is full.
    std::vector<const GainElement*> order;
    for (const GainElement& element : model_of(direction).gains) {
        order.push_back(&element);
    }
    std::stable_partition(order.begin(), order.end(),
                          [](const auto* e) { return e->step_db < e->high_db - e->low_db; });
    for (const GainElement* element : order) {
        const double given = step_of(*element, value);
        p.gains[element->name] = given;
        value -= given;
    }
    apply_gain(p);
}

void MeshairDevice::setGain(int direction, std::size_t channel, const std::string& name, double value) {
    check_here();
    const Lock lock(mutex_);
    Port& p = port(direction, channel);
    p.gains[name] = step_of(element_of(model_of(direction), name), value);
    apply_gain(p);
}

void MeshairDevice::apply_gain(Port& p) {
    ChannelSettings settings = radio_->settings(p.direction);
    settings.gain_db = 0.0;
    for (const auto& [name, value] : p.gains) {
        settings.gain_db += value;
    }
    radio_->set(p.direction, settings);
}

double MeshairDevice::getGain(int direction, std::size_t channel) const {
    return radio_->settings(port(direction, channel).direction).gain_db;
}

double MeshairDevice::getGain(int direction, std::size_t channel, const std::string& name) const {
    (void)element_of(model_of(direction), name);
    const Lock lock(mutex_);
    return port(direction, channel).gains.at(name);
}

SoapySDR::Range MeshairDevice::getGainRange(int direction, std::size_t) const {
    double low = 0.0;
    double high = 0.0;
    double step = 1e9;
    for (const GainElement& element : model_of(direction).gains) {
        low += element.low_db;
        high += element.high_db;
        step = std::min(step, element.step_db);
    }
    return {low, high, step};
}

SoapySDR::Range MeshairDevice::getGainRange(int direction, std::size_t, const std::string& name) const {
    const GainElement& element = element_of(model_of(direction), name);
    return {element.low_db, element.high_db, element.step_db};
}

// Frequencies

void MeshairDevice::setFrequency(int direction, std::size_t channel, const std::string& name, double hz,
                                 const SoapySDR::Kwargs&) {
    check_here();
    check_name("frequency", name, radio_->model().frequency_elements);
    check_range("frequency " + name, hz,
                name == "RF" ? radio_->model().tuning_hz : Span{-kFrequencyShiftHz, kFrequencyShiftHz}, "Hz");
    const Lock lock(mutex_);
    Port& p = port(direction, channel);
    p.frequencies[name] = hz;
    apply_frequency(p);
}

void MeshairDevice::apply_frequency(Port& p) {
    ChannelSettings settings = radio_->settings(p.direction);
    settings.frequency_hz = 0.0;
    for (const auto& [name, value] : p.frequencies) {
        settings.frequency_hz += value;
    }
    radio_->set(p.direction, settings);
}

double MeshairDevice::getFrequency(int direction, std::size_t channel, const std::string& name) const {
    check_name("frequency", name, radio_->model().frequency_elements);
    const Lock lock(mutex_);
    return port(direction, channel).frequencies.at(name);
}

std::vector<std::string> MeshairDevice::listFrequencies(int, std::size_t) const {
    return radio_->model().frequency_elements;
}

SoapySDR::RangeList MeshairDevice::getFrequencyRange(int, std::size_t) const {
    return {{radio_->model().tuning_hz.low, radio_->model().tuning_hz.high}};
}

SoapySDR::RangeList MeshairDevice::getFrequencyRange(int direction, std::size_t channel,
                                                     const std::string& name) const {
    check_name("frequency", name, radio_->model().frequency_elements);
    return name == "RF" ? getFrequencyRange(direction, channel)
                        : SoapySDR::RangeList{{-kFrequencyShiftHz, kFrequencyShiftHz}};
}

// Rates and bandwidths

void MeshairDevice::setSampleRate(int direction, std::size_t channel, double rate_hz) {
    check_here();
    check_range("sample rate", rate_hz, radio_->model().rates_hz, "samples/s");
    const Lock lock(mutex_);
    Port& p = port(direction, channel);
    ChannelSettings settings = radio_->settings(p.direction);
    settings.ratio = RateRatio::nearest(rate_hz, radio_->air().rate_hz);
    if (std::abs(settings.ratio.rate_hz(radio_->air().rate_hz) - rate_hz) > 1e-3 * rate_hz) {
        refuse("sample rate " + text_of(rate_hz) + " samples/s is more than 4096 times that of the air, " +
               text_of(radio_->air().rate_hz) + " samples/s, or less than a 4096th");
    }
    if (const double bandwidth = radio_->model().bandwidth_of_rate(rate_hz); bandwidth > 0.0) {
        settings.bandwidth_hz = bandwidth;
    }
    radio_->set(p.direction, settings);
}

double MeshairDevice::getSampleRate(int direction, std::size_t channel) const {
    return radio_->rate_hz(port(direction, channel).direction);
}

std::vector<double> MeshairDevice::listSampleRates(int, std::size_t) const {
    const Span& range = radio_->model().rates_hz;
    std::vector<double> out{range.low};
    for (double rate = 1e6; rate < range.high; rate += rate < 10e6 ? 1e6 : 5e6) {
        if (rate > range.low) {
            out.push_back(rate);
        }
    }
    out.push_back(range.high);
    return out;
}

SoapySDR::RangeList MeshairDevice::getSampleRateRange(int, std::size_t) const {
    return {{radio_->model().rates_hz.low, radio_->model().rates_hz.high}};
}

void MeshairDevice::setBandwidth(int direction, std::size_t channel, double hz) {
    check_here();
    if (!(hz >= 0.0)) {
        refuse("bandwidth " + text_of(hz) + " Hz is not positive");
    }
    const Lock lock(mutex_);
    Port& p = port(direction, channel);
    ChannelSettings settings = radio_->settings(p.direction);
    const double bound = radio_->model().bandwidth_of_rate(settings.ratio.rate_hz(radio_->air().rate_hz));
    // 0 means automatic to many programs.
    settings.bandwidth_hz =
        hz == 0.0 ? (bound > 0.0 ? bound : radio_->model().bandwidths_hz.high) : radio_->model().bandwidth_for(hz);
    radio_->set(p.direction, settings);
}

double MeshairDevice::getBandwidth(int direction, std::size_t channel) const {
    return radio_->settings(port(direction, channel).direction).bandwidth_hz;
}

std::vector<double> MeshairDevice::listBandwidths(int, std::size_t) const {
    const DeviceModel& model = radio_->model();
    return model.filters_hz.empty() ? std::vector<double>{model.bandwidths_hz.low, model.bandwidths_hz.high}
                                    : model.filters_hz;
}

SoapySDR::RangeList MeshairDevice::getBandwidthRange(int, std::size_t) const {
    const DeviceModel& model = radio_->model();
    SoapySDR::RangeList out;
    for (const double filter : model.filters_hz) {
        out.emplace_back(filter, filter);
    }
    return out.empty() ? SoapySDR::RangeList{{model.bandwidths_hz.low, model.bandwidths_hz.high}} : out;
}

// Clock and time

double MeshairDevice::getMasterClockRate() const {
    return radio_->rate_hz(Direction::kReceive);
}

std::vector<std::string> MeshairDevice::listClockSources() const {
    return radio_->model().sources;
}

void MeshairDevice::setClockSource(const std::string& source) {
    check_here();
    check_name("clock source", source, radio_->model().sources);
    const Lock lock(mutex_);
    clock_source_ = source;
}

std::string MeshairDevice::getClockSource() const {
    const Lock lock(mutex_);
    return clock_source_;
}

std::vector<std::string> MeshairDevice::listTimeSources() const {
    return radio_->model().sources;
}

void MeshairDevice::setTimeSource(const std::string& source) {
    check_here();
    check_name("time source", source, radio_->model().sources);
    const Lock lock(mutex_);
    time_source_ = source;
}

std::string MeshairDevice::getTimeSource() const {
    const Lock lock(mutex_);
    return time_source_;
}

bool MeshairDevice::hasHardwareTime(const std::string& what) const {
    return radio_->model().has_time && (what.empty() || what == "PPS");
}

long long MeshairDevice::getHardwareTime(const std::string& what) const {
    check_here();
    if (!hasHardwareTime(what)) {
        refuse("the device has no time" + (what.empty() ? "" : " called '" + what + "'"));
    }
    return what.empty() ? radio_->time_ns() : radio_->time_of_last_pps_ns();
}

void MeshairDevice::setHardwareTime(long long time_ns, const std::string& what) {
    check_here();
    if (!hasHardwareTime(what)) {
        refuse("the device has no time" + (what.empty() ? "" : " called '" + what + "'"));
    }
    if (what.empty()) {
        radio_->set_time_ns(time_ns);
    } else {
        radio_->set_time_at_pps_ns(time_ns);
    }
}

// Sensors and settings: the settings are for tests of what happens when a device fails.

std::vector<std::string> MeshairDevice::listSensors() const {
    return radio_->model().sensors;
}

SoapySDR::ArgInfo MeshairDevice::getSensorInfo(const std::string& key) const {
    check_name("sensor", key, radio_->model().sensors);
    SoapySDR::ArgInfo info;
    info.key = info.name = key;
    info.type = SoapySDR::ArgInfo::BOOL;
    return info;
}

std::string MeshairDevice::readSensor(const std::string& key) const {
    check_here();
    check_name("sensor", key, radio_->model().sensors);
    const Lock lock(mutex_);
    return sensors_.at(key) ? "true" : "false";
}

SoapySDR::ArgInfoList MeshairDevice::getSettingInfo() const {
    const auto about = [](const char* key, const char* description, SoapySDR::ArgInfo::Type type, const char* value) {
        SoapySDR::ArgInfo info;
        info.key = info.name = key;
        info.description = description;
        info.type = type;
        info.value = value;
        return info;
    };
    SoapySDR::ArgInfoList out{
        about("unplug", "true: the device is gone, every call fails", SoapySDR::ArgInfo::BOOL, "false"),
        about("stall_ms", "nothing goes over the bus for so many milliseconds", SoapySDR::ArgInfo::FLOAT, "0")};
    if (!radio_->model().has_time) {
        out.push_back(about("in_flight", "transfers on the bus; an argument of the device, read only",
                            SoapySDR::ArgInfo::INT, "0"));
    }
    for (const std::string& name : radio_->model().sensors) {
        out.push_back(about(name.c_str(), "what the sensor of this name says", SoapySDR::ArgInfo::BOOL, "true"));
    }
    return out;
}

void MeshairDevice::writeSetting(const std::string& key, const std::string& value) {
    check_here();
    const Lock lock(mutex_);
    if (key == "unplug") {
        if (to_bool(key, value)) {
            radio_->unplug();
        }
    } else if (key == "stall_ms") {
        char* end = nullptr;
        const double ms = std::strtod(value.c_str(), &end);
        if (value.empty() || *end != '\0' || !(ms >= 0.0 && ms <= 3.6e6)) {
            refuse("setting stall_ms must be within 0..3600000, not '" + value + "'");
        }
        radio_->stall(from_seconds(ms * 1e-3));
    } else if (const auto sensor = sensors_.find(key); sensor != sensors_.end()) {
        sensor->second = to_bool(key, value);
    } else {
        refuse("no setting is called '" + key + "'");
    }
}

std::string MeshairDevice::readSetting(const std::string& key) const {
    const Lock lock(mutex_);
    if (const auto sensor = sensors_.find(key); sensor != sensors_.end()) {
        return sensor->second ? "true" : "false";
    }
    if (key == "unplug") {
        return radio_->gone().empty() ? "false" : "true";
    }
    if (key == "in_flight") {
        return std::to_string(radio_->arguments().in_flight);
    }
    return key == "stall_ms" ? "0" : "";
}

}  // namespace meshnet::meshair
