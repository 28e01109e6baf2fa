// SPDX-License-Identifier: MIT
// The file of air time, and a line of the configuration: any bytes give a value or one clause that says why not. What
// was read is written and read again as the same, and a guard that starts with it never has more than its budget.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "station/guard/transmit_guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace meshnet;
using namespace meshnet::station;

class Store final : public AirTimeStore {
public:
    explicit Store(std::vector<BandAirTime> bands) : bands_(std::move(bands)) {}
    Result<std::vector<BandAirTime>> load() override { return bands_; }
    Status save(const std::vector<BandAirTime>&) override { return Ok{}; }

private:
    std::vector<BandAirTime> bands_;
};

void start_with(std::vector<BandAirTime> bands) {
    GuardConfig config;
    config.bands = {"EU 868.0-868.6"};
    config.authority = "fuzz";
    config.frequency_hz = 868.3e6;
    config.full_scale_dbm = 10.0;
    config.antenna_gain_dbi = 0.0;
    config.air_time_file = "none";
    const Instant now = instant_from_ns(1'700'000'000'000'000'000);
    TransmitGuard guard(validate_guard(config, 500e3).value(), std::make_unique<Store>(std::move(bands)), {}, now);
    for (const auto& band : guard.air_time(now)) {
        assert(band.used >= Duration{});
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text(data, data + size);
    auto bands = decode_air_time(text);
    if (!bands) {
        assert(!bands.error().message.empty());
        // The check would stop nearly every input at the door: make it right, so that the lines are read.
        const std::string empty = encode_air_time({});
        const auto line = empty.rfind("check ");
        std::uint64_t hash = 0xcbf29ce484222325U;
        for (const char c : text) {
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
        }
        char check[32];
        std::snprintf(check, sizeof check, "check %016llx\n", static_cast<unsigned long long>(hash));
        assert(empty.size() - line == std::string(check).size());
        bands = decode_air_time(text + check);
    }
    if (bands) {
        const auto again = decode_air_time(encode_air_time(*bands));
        assert(again && *again == *bands);
        start_with(*bands);
    }
    if (const auto own = parse_own_band(text)) {
        assert(own->low_hz < own->high_hz && own->duty_cycle > 0.0 && own->duty_cycle <= 1.0);
    }
    return 0;
}
