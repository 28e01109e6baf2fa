// SPDX-License-Identifier: GPL-3.0-or-later
// SoapySDR's view of a VirtualRadio. Settings that the model refuses throw std::runtime_error with the range, as
// drivers of real radios do; so does every call of a device that is gone, but those that stop and close streams.
#pragma once

#include <SoapySDR/Device.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "station/meshair/sample_format.hpp"
#include "station/meshair/virtual_radio.hpp"

namespace meshnet::meshair {

class MeshairDevice final : public SoapySDR::Device {
public:
    explicit MeshairDevice(std::unique_ptr<VirtualRadio> radio);

    std::string getDriverKey() const override;
    std::string getHardwareKey() const override;
    SoapySDR::Kwargs getHardwareInfo() const override;
    std::size_t getNumChannels(int direction) const override;
    bool getFullDuplex(int direction, std::size_t channel) const override;

    std::vector<std::string> getStreamFormats(int direction, std::size_t channel) const override;
    std::string getNativeStreamFormat(int direction, std::size_t channel, double& full_scale) const override;
    SoapySDR::Stream* setupStream(int direction, const std::string& format, const std::vector<std::size_t>& channels,
                                  const SoapySDR::Kwargs& args) override;
    void closeStream(SoapySDR::Stream* stream) override;
    std::size_t getStreamMTU(SoapySDR::Stream* stream) const override;
    int activateStream(SoapySDR::Stream* stream, int flags, long long time_ns, std::size_t count) override;
    int deactivateStream(SoapySDR::Stream* stream, int flags, long long time_ns) override;
    int readStream(SoapySDR::Stream* stream, void* const* buffers, std::size_t count, int& flags, long long& time_ns,
                   long timeout_us) override;
    int writeStream(SoapySDR::Stream* stream, const void* const* buffers, std::size_t count, int& flags,
                    long long time_ns, long timeout_us) override;
    int readStreamStatus(SoapySDR::Stream* stream, std::size_t& channels, int& flags, long long& time_ns,
                         long timeout_us) override;

    std::vector<std::string> listAntennas(int direction, std::size_t channel) const override;
    void setAntenna(int direction, std::size_t channel, const std::string& name) override;
    std::string getAntenna(int direction, std::size_t channel) const override;

    std::vector<std::string> listGains(int direction, std::size_t channel) const override;
    void setGain(int direction, std::size_t channel, double value) override;
    void setGain(int direction, std::size_t channel, const std::string& name, double value) override;
    double getGain(int direction, std::size_t channel) const override;
    double getGain(int direction, std::size_t channel, const std::string& name) const override;
    SoapySDR::Range getGainRange(int direction, std::size_t channel) const override;
    SoapySDR::Range getGainRange(int direction, std::size_t channel, const std::string& name) const override;

    using SoapySDR::Device::getFrequency;
    using SoapySDR::Device::setFrequency;  // of all elements: RF takes it, BB what RF leaves or an offset asks for
    void setFrequency(int direction, std::size_t channel, const std::string& name, double hz,
                      const SoapySDR::Kwargs& args) override;
    double getFrequency(int direction, std::size_t channel, const std::string& name) const override;
    std::vector<std::string> listFrequencies(int direction, std::size_t channel) const override;
    SoapySDR::RangeList getFrequencyRange(int direction, std::size_t channel) const override;
    SoapySDR::RangeList getFrequencyRange(int direction, std::size_t channel, const std::string& name) const override;

    void setSampleRate(int direction, std::size_t channel, double rate_hz) override;
    double getSampleRate(int direction, std::size_t channel) const override;
    std::vector<double> listSampleRates(int direction, std::size_t channel) const override;
    SoapySDR::RangeList getSampleRateRange(int direction, std::size_t channel) const override;
    void setBandwidth(int direction, std::size_t channel, double hz) override;
    double getBandwidth(int direction, std::size_t channel) const override;
    std::vector<double> listBandwidths(int direction, std::size_t channel) const override;
    SoapySDR::RangeList getBandwidthRange(int direction, std::size_t channel) const override;

    double getMasterClockRate() const override;
    std::vector<std::string> listClockSources() const override;
    void setClockSource(const std::string& source) override;
    std::string getClockSource() const override;
    std::vector<std::string> listTimeSources() const override;
    void setTimeSource(const std::string& source) override;
    std::string getTimeSource() const override;
    bool hasHardwareTime(const std::string& what) const override;
    long long getHardwareTime(const std::string& what) const override;
    void setHardwareTime(long long time_ns, const std::string& what) override;

    std::vector<std::string> listSensors() const override;
    SoapySDR::ArgInfo getSensorInfo(const std::string& key) const override;
    std::string readSensor(const std::string& key) const override;
    SoapySDR::ArgInfoList getSettingInfo() const override;
    void writeSetting(const std::string& key, const std::string& value) override;
    std::string readSetting(const std::string& key) const override;

private:
    struct Port {  // one direction
        Direction direction = Direction::kReceive;
        bool opened = false, active = false;
        SampleFormat format = SampleFormat::kCf32;
        std::vector<phy::Sample> samples;  // for integer formats
        std::string antenna;
        std::map<std::string, double> gains, frequencies;
    };
    Port& port(int direction, std::size_t channel);
    const Port& port(int direction, std::size_t channel) const;
    Port* port_of(SoapySDR::Stream* stream);
    const DirectionModel& model_of(int direction) const;
    void apply_gain(Port& port);
    void apply_frequency(Port& port);
    void check_here() const;
    int lost() const;

    std::unique_ptr<VirtualRadio> radio_;
    mutable std::recursive_mutex mutex_;  // of the settings below
    Port receive_, transmit_;
    std::string clock_source_, time_source_;
    std::map<std::string, bool> sensors_;
};

}  // namespace meshnet::meshair
