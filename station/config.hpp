// SPDX-License-Identifier: GPL-3.0-or-later
// What an operator writes: one TOML file, every key with unit, range and default, and nothing accepted that is not
// understood.
//
// The table of keys (config_keys.cpp) is the only place a key is named; parser, example and documentation are made from
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "mac/mac.hpp"
#include "net/credit_limits.hpp"
#include "net/node_id.hpp"
#include "net/payment/settlement_policy.hpp"
#include "net/spend_budget.hpp"
#include "phy/modes.hpp"
#include "station/guard/guard_config.hpp"
#include "station/ip_prefix.hpp"
#include "station/radio/radio_settings.hpp"

namespace meshnet::station {

/// Where a station that names no other listens.
inline constexpr std::string_view kDefaultControlSocket = "/run/meshnet/control.sock";

/// The settings of a station. Defaults are those `meshnetd --print-config` shows.
struct Config {
    // [station]
    std::string name = "station";
    std::string key_file = "station.key";
    std::string ledger_file = "station.ledger";
    std::string control_socket{kDefaultControlSocket};
    std::string user;
    // [radio]
    std::string device = "air:/run/meshnet/air.sock#station";
    RadioSettings radio;
    std::string profile = "1M";
    phy::PreambleClass longest_preamble = phy::PreambleClass::kMedium;
    std::uint64_t decode_threads = 0;
    // [mac]: `self` and `fixed_mode` stay unset until identity and radio are known
    mac::Mac::Config mac = default_mac();
    std::string fixed_mode;
    // [transmit]: for radios that reach an antenna
    GuardConfig transmit;
    // [net]
    std::uint64_t price_msat_per_mib = 1'000;
    std::uint64_t max_price_msat_per_mib = 100'000;
    std::uint32_t unit_bytes = 65'536;
    std::uint64_t initial_window_bytes = 256 * 1024;
    std::uint64_t max_window_bytes = 16'384 * 1024;
    std::vector<net::NodeId> neighbours;
    bool pad_frames = false;
    bool pay = true;
    // [credit]
    net::CreditLimits credit;
    net::SpendBudget::Config spend;
    // [settlement]
    net::SettlementPolicies settlement;
    // [tun]
    bool tun_enabled = true;
    std::string tun_name = "meshnet0";
    unsigned tun_mtu = 1'400;
    bool tun_route = true;
    std::vector<IpPrefix> tun_prefixes;
    std::string tun_congestion_control;
    // [log]
    std::string log_level = "info";

    /// MAC settings for a host-based radio: lead for modulation and scheduling, a queue of about two bursts.
    [[nodiscard]] static mac::Mac::Config default_mac();
};

/// A value as written, already of the kind its key wants.
struct ConfigValue {
    std::string text;
    double number = 0.0;
    std::int64_t integer = 0;
    bool flag = false;
    std::vector<std::string> list;
};

/// One key: all that is known of it.
struct ConfigKey {
    enum class Kind { kText, kNumber, kInteger, kFlag, kTextList };
    std::string_view section, name;
    Kind kind;
    std::string_view unit;        ///< in words, "" if none
    double min = 0.0, max = 0.0;  ///< numbers: both included
    std::string_view example;     ///< default value as TOML
    std::string_view doc;
    /// Stores the value, or says what would be right.
    std::function<Status(Config&, const ConfigValue&)> store;
};

/// Every key, in the order of the example.
[[nodiscard]] std::span<const ConfigKey> config_keys();

/// Reads `text`; `source` is the file name used in messages. The error is one line:
/// `FILE:LINE: what is wrong; what would be right`. Any bytes at all may be given. At most 1 MiB.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& source);

/// Reads a file; relative paths in it are taken from the folder the file is in.
[[nodiscard]] Result<Config> load_config(const std::string& path);

/// The annotated example: every key with its default, unit, range and meaning. parse_config() of it gives Config{}.
[[nodiscard]] std::string example_config();

}  // namespace meshnet::station
