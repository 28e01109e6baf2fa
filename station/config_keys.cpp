// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/names.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "station/config.hpp"
#include "station/credit_keys.hpp"
#include "station/radio/radio.hpp"
#include "station/settlement_keys.hpp"

namespace meshnet::station {

namespace {

using Kind = ConfigKey::Kind;

Status fail(std::string message) {
    return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

// A setter for a text that must not be empty.
template <std::string Config::*Member>
Status store_text(Config& c, const ConfigValue& v) {
    if (v.text.empty()) {
        return fail("must not be empty");
    }
    c.*Member = v.text;
    return Ok{};
}

template <auto Member>
Status store_flag(Config& c, const ConfigValue& v) {
    c.*Member = v.flag;
    return Ok{};
}

template <auto Member>
Status store_integer(Config& c, const ConfigValue& v) {
    using Field = std::remove_reference_t<decltype(c.*Member)>;
    c.*Member = static_cast<Field>(v.integer);
    return Ok{};
}

template <auto Member>
Status store_kib(Config& c, const ConfigValue& v) {
    c.*Member = static_cast<std::uint64_t>(v.integer) * 1024;
    return Ok{};
}

template <Duration mac::Mac::Config::*Member>
Status store_ms(Config& c, const ConfigValue& v) {
    c.mac.*Member = from_seconds(v.number * 1e-3);
    return Ok{};
}

template <auto Member>
Status store_radio(Config& c, const ConfigValue& v) {
    using Field = std::remove_reference_t<decltype(c.radio.*Member)>;
    if constexpr (std::is_same_v<Field, bool>) {
        c.radio.*Member = v.flag;
    } else if constexpr (std::is_same_v<Field, std::string>) {
        c.radio.*Member = v.text;
    } else {
        c.radio.*Member = v.number;
    }
    return Ok{};
}

// -100: not chosen.
template <std::optional<double> RadioSettings::*Member>
Status store_gain(Config& c, const ConfigValue& v) {
    c.radio.*Member = v.number == -100.0 ? std::nullopt : std::optional(v.number);
    return Ok{};
}

Status store_name(Config& c, const ConfigValue& v) {
    const bool fine = !v.text.empty() && v.text.size() <= 32 && std::all_of(v.text.begin(), v.text.end(), [](char ch) {
        return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
               ch == '_';
    });
    if (!fine) {
        return fail("must be 1 to 32 letters, digits, - or _");
    }
    c.name = v.text;
    return Ok{};
}

Status store_device(Config& c, const ConfigValue& v) {
    if (auto right = check_device(v.text); !right) {
        return right.error();
    }
    c.device = v.text;
    return Ok{};
}

Status store_profile(Config& c, const ConfigValue& v) {
    const auto profile = phy::parse_profile(v.text);
    if (!profile) {
        return profile.error();
    }
    c.profile = std::string((*profile)->name);
    return Ok{};
}

Status store_preamble(Config& c, const ConfigValue& v) {
    const auto preamble = phy::parse_preamble_class(v.text);
    if (!preamble) {
        return preamble.error();
    }
    c.longest_preamble = *preamble;
    return Ok{};
}

Status store_fixed_mode(Config& c, const ConfigValue& v) {
    if (!v.text.empty()) {
        if (auto mode = phy::parse_mode(v.text); !mode) {
            return mode.error();
        }
    }
    c.fixed_mode = v.text;
    return Ok{};
}

Status store_queue(Config& c, const ConfigValue& v) {
    c.mac.queue_bytes = static_cast<std::size_t>(v.integer) * 1024;
    return Ok{};
}

Status store_margin(Config& c, const ConfigValue& v) {
    c.mac.snr_margin_db = v.number;
    return Ok{};
}

Status store_duty(Config& c, const ConfigValue& v) {
    c.mac.duty_cycle = v.number;
    return Ok{};
}

// [transmit]. A number that is not stated stands in the example as this one.
constexpr double kNotStated = -999.0;

template <auto Member>
Status store_transmit_number(Config& c, const ConfigValue& v) {
    c.transmit.*Member = v.number == kNotStated ? GuardConfig::kUnset : v.number;
    return Ok{};
}

template <auto Member>
Status store_transmit_text(Config& c, const ConfigValue& v) {
    c.transmit.*Member = v.text;
    return Ok{};
}

Status store_bands(Config& c, const ConfigValue& v) {
    for (const auto& name : v.list) {
        if (!name.starts_with("own ")) {
            if (auto band = find_band(name); !band) {
                return band.error();
            }
        }
    }
    c.transmit.bands = v.list;
    return Ok{};
}

Status store_own_bands(Config& c, const ConfigValue& v) {
    for (const auto& text : v.list) {
        if (auto band = parse_own_band(text); !band) {
            return band.error();
        }
    }
    c.transmit.own_bands = v.list;
    return Ok{};
}

Status store_neighbours(Config& c, const ConfigValue& v) {
    c.neighbours.clear();
    for (const auto& text : v.list) {
        const auto id = net::node_id_from_string(text);
        if (!id) {
            return fail("\"" + text +
                        "\" is not a node id; a node id is 64 hexadecimal digits (meshnet status prints it)");
        }
        c.neighbours.push_back(*id);
    }
    return Ok{};
}

Status store_tun_name(Config& c, const ConfigValue& v) {
    const bool fine = !v.text.empty() && v.text.size() <= 15 && std::all_of(v.text.begin(), v.text.end(), [](char ch) {
        return ch > ' ' && ch < 127 && ch != '/' && ch != ':' && ch != '%';
    });
    if (!fine) {
        return fail("must be 1 to 15 printable characters without space, /, : and %");
    }
    c.tun_name = v.text;
    return Ok{};
}

Status store_prefixes(Config& c, const ConfigValue& v) {
    c.tun_prefixes.clear();
    for (const auto& text : v.list) {
        const auto prefix = ip_prefix_from_string(text);
        if (!prefix) {
            return fail("\"" + text +
                        "\" is not an IPv6 prefix; a prefix is like fd00::/8, all bits behind its length 0");
        }
        c.tun_prefixes.push_back(*prefix);
    }
    return Ok{};
}

Status store_congestion_control(Config& c, const ConfigValue& v) {
    const bool fine = v.text.size() <= 15 && std::all_of(v.text.begin(), v.text.end(), [](char ch) {
                          return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';
                      });
    if (!fine) {
        return fail("must be a name of /proc/sys/net/ipv4/tcp_available_congestion_control, or empty");
    }
    c.tun_congestion_control = v.text;
    return Ok{};
}

Status store_level(Config& c, const ConfigValue& v) {
    constexpr std::array<std::string_view, 5> kLevels{"debug", "info", "warn", "error", "off"};
    if (std::find(kLevels.begin(), kLevels.end(), v.text) == kLevels.end()) {
        return unknown_name("log level", v.text, kLevels);
    }
    c.log_level = v.text;
    return Ok{};
}

}  // namespace

mac::Mac::Config Config::default_mac() {
    mac::Mac::Config c;
    c.turnaround = 2ms;
    c.transmit_lead = 4ms;
    c.queue_bytes = 32 * 1024;
    return c;
}

namespace {

std::vector<ConfigKey> station_keys() {
    using C = Config;
    return {
        {"station", "name", Kind::kText, "", 0, 0, "\"station\"",
         "Name in logs and on displays: 1 to 32 letters, digits, - or _.", store_name},
        {"station", "key_file", Kind::kText, "", 0, 0, "\"station.key\"",
         "The secret key: who this station is. Made at first start, readable by its owner only. Keep a copy offline.\n"
         "A relative path is taken from the folder of this file (here and below).",
         store_text<&C::key_file>},
        {"station", "ledger_file", Kind::kText, "", 0, 0, "\"station.ledger\"",
         "The ledger (SQLite): what was earned and what is owed. One daemon at a time.", store_text<&C::ledger_file>},
        {"station", "control_socket", Kind::kText, "", 0, 0, "\"/run/meshnet/control.sock\"",
         "Unix socket for meshnet status, neighbours, routes, ... Readable by its owner only; at most 107 characters.",
         store_text<&C::control_socket>},
        {"station", "user", Kind::kText, "", 0, 0, "\"\"",
         "Name of a user to run as, when root starts meshnetd: it is switched to before any file of this station is\n"
         "opened, so they must be that user's. Empty: whoever starts it.",
         [](Config& c, const ConfigValue& v) {
             c.user = v.text;
             return Status(Ok{});
         }},
    };
}

std::vector<ConfigKey> radio_keys() {
    using C = Config;
    using S = RadioSettings;
    static const std::string kDevices = radio_help();
    return {
        {"radio", "device", Kind::kText, "", 0, 0, "\"air:/run/meshnet/air.sock#station\"", kDevices, store_device},
        {"radio", "invert", Kind::kFlag, "", 0, 0, "false",
         "true: the spectrum of the radio or recording is inverted (an inverting converter, I and Q swapped); samples "
         "are\n"
         "taken as their complex conjugates, received and sent.",
         store_radio<&S::invert>},
        {"radio", "frequency_hz", Kind::kNumber, "Hz", 0.0, 1e11, "0.0",
         "Centre of the channel. Radios with an antenna need it; 0: not chosen.", store_radio<&S::frequency_hz>},
        {"radio", "rx_gain_db", Kind::kNumber, "dB", -100.0, 200.0, "-100.0",
         "Overall receive gain; -100: 60 % of what the radio has.", store_gain<&S::rx_gain_db>},
        {"radio", "tx_gain_db", Kind::kNumber, "dB", -100.0, 200.0, "-100.0",
         "Overall transmit gain; -100: the least the radio has.", store_gain<&S::tx_gain_db>},
        {"radio", "rx_antenna", Kind::kText, "", 0, 0, "\"\"",
         "Port to receive at, as \"RX2\"; empty: the radio's default.", store_radio<&S::rx_antenna>},
        {"radio", "tx_antenna", Kind::kText, "", 0, 0, "\"\"",
         "Port to transmit at, as \"TX/RX\"; empty: the radio's default.", store_radio<&S::tx_antenna>},
        {"radio", "bandwidth_hz", Kind::kNumber, "Hz", 0.0, 1e9, "0.0",
         "Analogue filter of the radio; 0: the narrowest it has that passes the channel.",
         store_radio<&S::bandwidth_hz>},
        {"radio", "sample_rate_hz", Kind::kNumber, "samples per second", 0.0, 1e9, "0.0",
         "Sample rate of the radio, resampled to the profile's; 0: chosen from those it has.",
         store_radio<&S::sample_rate_hz>},
        {"radio", "clock_source", Kind::kText, "", 0, 0, "\"\"",
         "internal, external, gpsdo ...: its lock is watched. Empty: the radio's default.",
         store_radio<&S::clock_source>},
        {"radio", "time_source", Kind::kText, "", 0, 0, "\"\"",
         "internal, external, gpsdo ...; empty: the radio's default.", store_radio<&S::time_source>},
        {"radio", "offset_tuning", Kind::kFlag, "", 0, 0, "true",
         "Tunes the receiver's oscillator beside the channel where the radio's rate leaves room: no spike in its "
         "middle.",
         store_radio<&S::offset_tuning>},
        {"radio", "ppm", Kind::kNumber, "parts per million", -200.0, 200.0, "0.0",
         "Error of the radio's crystal, taken off every frequency.", store_radio<&S::ppm>},
        {"radio", "ptt_command", Kind::kText, "", 0, 0, "\"\"",
         "Program that switches an external amplifier or relay: run with \"tx\" before bursts, \"rx\" after. Empty: "
         "none.",
         store_radio<&S::ptt_command>},
        {"radio", "ptt_lead_ms", Kind::kNumber, "milliseconds", 0.0, 50.0, "0.0",
         "Between that command and the first sample on the air.", store_radio<&S::ptt_lead_ms>},
        {"radio", "ramp_us", Kind::kNumber, "microseconds", 0.0, 10'000.0, "100.0",
         "Zeros in front of every burst, in which a power amplifier settles.", store_radio<&S::ramp_us>},
        {"radio", "profile", Kind::kText, "", 0, 0, "\"1M\"",
         "Numerology of the channel, named by its sample rate: meshnet-cli profiles lists them.\n"
         "All stations of a channel use the same.",
         store_profile},
        {"radio", "longest_preamble", Kind::kText, "", 0, 0, "\"medium\"",
         "short, medium or long: modes with a longer preamble are neither used nor listened for (meshnet-cli modes "
         "shows them).\n"
         "Longer reaches weaker signals, costs CPU and needs a longer max_burst_ms. The same on all stations of a "
         "channel.",
         store_preamble},
        {"radio", "decode_threads", Kind::kInteger, "", 0, 16, "0",
         "Threads that decode code blocks beside the receiver: wide profiles want one where there are cores to spare.",
         store_integer<&C::decode_threads>},
    };
}

std::vector<ConfigKey> mac_keys() {
    using M = mac::Mac::Config;
    return {
        {"mac", "turnaround_ms", Kind::kNumber, "milliseconds", 0.0, 1'000, "2.0",
         "From samples at the antenna to a decision on the air, at least; more is learnt.\n"
         "2 suits the simulated air, 5 to 20 a USB radio.",
         store_ms<&M::turnaround>},
        {"mac", "transmit_lead_ms", Kind::kNumber, "milliseconds", 0.1, 1'000, "4.0",
         "How long before its first sample a burst is decided, at least; late bursts raise it. It must cover rendering "
         "and\n"
         "the way to the radio: 4 suits the simulated air, 5 to 50 a USB radio.",
         store_ms<&M::transmit_lead>},
        {"mac", "max_propagation_ms", Kind::kNumber, "milliseconds", 0.001, 1'000, "1.0",
         "One-way propagation to the farthest neighbour to expect: 1 ms is 300 km.", store_ms<&M::max_propagation>},
        {"mac", "hello_interval_ms", Kind::kNumber, "milliseconds", 100, 60'000, "1000.0",
         "Between two beacons that say this station is here.", store_ms<&M::hello_interval>},
        {"mac", "max_burst_ms", Kind::kNumber, "milliseconds", 5, 800, "200.0",
         "Longest transmission. Long bursts carry more, short ones answer sooner.", store_ms<&M::max_burst>},
        {"mac", "queue_kib", Kind::kInteger, "KiB", 8, 4'096, "32",
         "Packets a neighbour's queue holds in the MAC. Too much is delay: about two bursts is right.", store_queue},
        {"mac", "snr_margin_db", Kind::kNumber, "dB", 0, 20, "1.5",
         "Starting margin of rate adaptation above a mode's required SNR; learnt from losses afterwards.",
         store_margin},
        {"mac", "duty_cycle", Kind::kNumber, "share of any 10 minutes", 0.001, 1.0, "1.0",
         "How much of the time this station may transmit.", store_duty},
        {"mac", "fixed_mode", Kind::kText, "", 0, 0, "\"\"",
         "A mode name switches rate adaptation off (measurements); empty: adapt. meshnet-cli modes lists them.",
         store_fixed_mode},
    };
}

std::vector<ConfigKey> transmit_keys() {
    return {
        {"transmit", "bands", Kind::kTextList, "", 0, 0, "[]",
         "Bands this station may use: meshnet-cli bands lists them. Empty: it sends nothing by a radio that reaches "
         "an\n"
         "antenna; simulated radios need none. The operator is responsible for what his station sends.",
         store_bands},
        {"transmit", "own_bands", Kind::kTextList, "", 0, 0, "[]",
         "Bands of the operator's own, each \"NAME, LOW MHz, HIGH MHz, MAX EIRP dBm, DUTY CYCLE\", named \"own NAME\"\n"
         "in bands.",
         store_own_bands},
        {"transmit", "authority", Kind::kText, "", 0, 0, "\"\"",
         "On what right this station sends, for example \"licence-exempt SRD, 2006/771/EC\" or a licence number.",
         store_transmit_text<&GuardConfig::authority>},
        {"transmit", "callsign", Kind::kText, "", 0, 0, "\"\"",
         "Amateur bands: sent in Morse code every 10 minutes and at the end.",
         store_transmit_text<&GuardConfig::callsign>},
        {"transmit", "sealed_traffic_permit", Kind::kText, "", 0, 0, "\"\"",
         "Amateur bands: what permits sealed (encrypted) traffic there. Without it amateur bands are refused.",
         store_transmit_text<&GuardConfig::sealed_traffic_permit>},
        {"transmit", "full_scale_dbm", Kind::kNumber, "dBm, -999: not stated", kNotStated, 80, "-999.0",
         "Conducted power of a sample of magnitude 1 at the gain in use, as measured: a frame's mean is 12 dB below.",
         store_transmit_number<&GuardConfig::full_scale_dbm>},
        {"transmit", "antenna_gain_dbi", Kind::kNumber, "dBi, -999: not stated", kNotStated, 60, "-999.0",
         "Largest gain of the antenna.", store_transmit_number<&GuardConfig::antenna_gain_dbi>},
        {"transmit", "cable_loss_db", Kind::kNumber, "dB", 0, 60, "0.0",
         "Loss between the point full_scale_dbm is measured at and the antenna.",
         store_transmit_number<&GuardConfig::cable_loss_db>},
        {"transmit", "receive_full_scale_dbm", Kind::kNumber, "dBm, -999: not stated", kNotStated, 80, "-999.0",
         "Power that gives a received sample of magnitude 1; for bands that ask to listen before talk.",
         store_transmit_number<&GuardConfig::receive_full_scale_dbm>},
        {"transmit", "clock_error_ppm", Kind::kNumber, "ppm", 0, 200, "25.0",
         "Largest error of the radio's oscillator: bands are taken narrower by so much at either edge.",
         store_transmit_number<&GuardConfig::clock_error_ppm>},
        {"transmit", "listen_max_age_ms", Kind::kNumber, "milliseconds", 0.001, 100, "10.0",
         "Listen before talk: from the end of listening to the first sample at most.",
         store_transmit_number<&GuardConfig::listen_max_age_ms>},
        {"transmit", "air_time_file", Kind::kText, "", 0, 0, "\"station.airtime\"",
         "Where the air time of the last hour is kept, one file a radio. If it is missing or damaged, the last hour\n"
         "counts as used up.",
         store_transmit_text<&GuardConfig::air_time_file>},
        {"transmit", "inhibit_file", Kind::kText, "", 0, 0, "\"\"", "Nothing is sent while this file exists.",
         store_transmit_text<&GuardConfig::inhibit_file>},
        {"transmit", "inhibit_gpio", Kind::kText, "", 0, 0, "\"\"",
         "File of a GPIO line (/sys/class/gpio/gpioN/value): nothing is sent unless it reads 0.",
         store_transmit_text<&GuardConfig::inhibit_gpio>},
    };
}

std::vector<ConfigKey> net_keys() {
    using C = Config;
    return {
        {"net", "price_msat_per_mib", Kind::kInteger, "millisatoshi per MiB", 0, 1e12, "1000",
         "Asked for carrying a MiB one hop, paid when it has arrived.", store_integer<&C::price_msat_per_mib>},
        {"net", "max_price_msat_per_mib", Kind::kInteger, "millisatoshi per MiB", 0, 1e12, "100000",
         "What this station's own traffic pays at most, all hops together.", store_integer<&C::max_price_msat_per_mib>},
        {"net", "unit_bytes", Kind::kInteger, "bytes", 1'024, 65'536, "65536", "Payload one payword pays for.",
         store_integer<&C::unit_bytes>},
        {"net", "initial_window_kib", Kind::kInteger, "KiB", 16, 1'048'576, "256",
         "Carried on credit for a neighbour that has settled nothing yet.", store_kib<&C::initial_window_bytes>},
        {"net", "max_window_kib", Kind::kInteger, "KiB", 16, 1'048'576, "16384",
         "Carried on credit for any neighbour at most. Not below initial_window_kib.", store_kib<&C::max_window_bytes>},
        {"net", "neighbours", Kind::kTextList, "", 0, 0, "[]",
         "Node ids of a closed fleet: only these may be neighbours. Empty: anybody.", store_neighbours},
        {"net", "pad_frames", Kind::kFlag, "", 0, 0, "false",
         "Fill frames up to size classes, so that a listener cannot follow a packet from hop to hop by its size. Costs "
         "air: "
         "net.padding_bytes_sent in the status.",
         store_flag<&C::pad_frames>},
        {"net", "pay", Kind::kFlag, "", 0, 0, "true",
         "false: own traffic pays nothing, and relays that ask a price refuse it.", store_flag<&C::pay>},
    };
}

std::vector<ConfigKey> tun_keys() {
    using C = Config;
    return {
        {"tun", "enabled", Kind::kFlag, "", 0, 0, "true",
         "A network interface with this station's IPv6 address; needs CAP_NET_ADMIN and /dev/net/tun.\n"
         "false: packets come and go over the control socket (meshnet-cli send, receive).",
         store_flag<&C::tun_enabled>},
        {"tun", "name", Kind::kText, "", 0, 0, "\"meshnet0\"", "Name of the interface, at most 15 characters.",
         store_tun_name},
        {"tun", "mtu", Kind::kInteger, "bytes", 1'280, 1'500, "1400", "Largest IP packet.", store_integer<&C::tun_mtu>},
        {"tun", "route", Kind::kFlag, "", 0, 0, "true",
         "Routes to the interface: one for each station that is known, and those of prefixes.\n"
         "false: none; add those you want yourself.",
         store_flag<&C::tun_route>},
        {"tun", "prefixes", Kind::kTextList, "", 0, 0, "[]",
         "IPv6 prefixes that go to the mesh as a whole, for example [\"fd00::/8\"]: what no station has is answered\n"
         "with an error at once and never leaves by another interface. Empty: only the known stations, and other\n"
         "private networks (fd..) stay reachable.",
         store_prefixes},
        {"tun", "congestion_control", Kind::kText, "", 0, 0, "\"\"",
         "TCP's algorithm on these routes, for example \"cubic\" where the system's own is bbr; empty: the system's "
         "own.",
         store_congestion_control},
    };
}

std::vector<ConfigKey> log_keys() {
    return {
        {"log", "level", Kind::kText, "", 0, 0, "\"info\"",
         "debug, info, warn, error or off; one line per event on stderr.", store_level},
    };
}

}  // namespace

std::span<const ConfigKey> config_keys() {
    static const std::vector<ConfigKey> kKeys = [] {
        std::vector<ConfigKey> all;
        for (const auto section : {station_keys, radio_keys, mac_keys, transmit_keys, net_keys, credit_keys,
                                   settlement_keys, tun_keys, log_keys}) {
            for (ConfigKey& key : section()) {
                all.push_back(std::move(key));
            }
        }
        return all;
    }();
    return kKeys;
}

}  // namespace meshnet::station
