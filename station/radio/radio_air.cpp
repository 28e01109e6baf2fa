// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_air.hpp"

#include <utility>

#include "sim/air_socket.hpp"

namespace meshnet::station {

namespace {

class AirRadio final : public Radio {
public:
    explicit AirRadio(sim::AirClient client) : client_(std::move(client)) {}

    node::SampleRate sample_rate() const override { return node::SampleRate::from_hz(client_.sample_rate_hz()); }
    int fd() const override { return client_.fd(); }

    Result<Reception> receive() override {
        auto got = client_.receive();
        if (!got) {
            return got.error();
        }
        Reception out;
        out.first_index = got->first_index;
        out.samples = std::move(got->samples);
        out.more = got->more;
        out.reports.reserve(got->reports.size());
        for (const auto& r : got->reports) {
            out.reports.push_back({r.id, !r.late, r.end_index});
        }
        return out;
    }

    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        return client_.transmit(id, at, burst);
    }

private:
    sim::AirClient client_;
};

}  // namespace

Status check_air_radio(const std::string& rest) {
    const std::size_t hash = rest.rfind('#');
    if (hash == std::string::npos || hash + 1 == rest.size()) {
        return Error{ErrorCode::kInvalidArgument, "does not name a station"};
    }
    if (hash == 0) {
        return Error{ErrorCode::kInvalidArgument, "names no socket"};
    }
    return Ok{};
}

Result<std::unique_ptr<Radio>> open_air_radio(const std::string& rest, const phy::Profile&, const RadioSettings&) {
    const std::size_t hash = rest.rfind('#');
    auto client = sim::AirClient::connect(rest.substr(0, hash), rest.substr(hash + 1));
    if (!client) {
        return client.error();
    }
    return std::unique_ptr<Radio>(std::make_unique<AirRadio>(std::move(client).value()));
}

}  // namespace meshnet::station
