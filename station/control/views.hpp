// SPDX-License-Identifier: GPL-3.0-or-later
// What the control socket shows: one row each, from which the command of the protocol, its JSON text and the tables of
// the command line come. The schema is stable: fields are added, never renamed. Units are in the names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/icmpv6.hpp"
#include "node/node.hpp"
#include "station/config.hpp"
#include "station/control/interface_counters.hpp"
#include "station/guard/transmit_guard.hpp"
#include "station/radio/radio_link.hpp"

namespace meshnet::station {

class SignalLog;

/// What the views are made from.
struct ViewContext {
    node::Node& node;
    const Config& config;
    const RadioLink& link;
    Duration uptime{};
    std::uint64_t price_msat_per_mib = 0;
    bool tun_up = false;  ///< there is an interface and nothing is wrong with it
    bool host_attached = false;
    std::uint32_t limit = 0;  ///< newest entries wanted, by views that have entries
    std::string tun_name = {};
    std::string tun_state = "off";  ///< "off", "up", or what is wrong
    InterfaceCounters interface = {};
    net::IcmpCounters icmp = {};
    TransmitGuard* guard = nullptr;  ///< null: no radio that reaches an antenna
    bool radio_up = true;            ///< false: lost, and being opened again
    Duration samples_ago{};          ///< since samples came, wall time
    SignalLog* signal = nullptr;     ///< null: none is kept
};

/// One column of a table for people.
struct Column {
    enum class Format : std::uint8_t { kAsIs, kShort, kFixed0, kFixed1, kFixed3, kKilo, kUtc, kOwes };
    std::string_view heading;
    std::string_view key;  ///< of the JSON field
    Format format = Format::kAsIs;
};

/// A part of a view: the array at `key` as a table, or, without columns, the object at `key` as lines.
struct Section {
    std::string_view key;  ///< empty: the view's JSON value itself
    std::span<const Column> columns;
    std::string_view if_empty;  ///< printed in place of a table without rows; empty: nothing
};

struct View {
    std::string_view name;
    std::string_view help;
    Result<std::string> (*render)(const ViewContext& context);  ///< JSON text
    std::span<const Section> sections;
    bool has_entries = false;  ///< ViewContext::limit says how many
    /// Makes the same from a file, where no daemon is needed; nullptr: only the daemon knows.
    Result<std::string> (*render_file)(const std::string& path, std::uint32_t limit) = nullptr;
};

/// All views, in the order of the help.
[[nodiscard]] std::span<const View> views() noexcept;
/// nullptr if there is none of that name.
[[nodiscard]] const View* find_view(std::string_view name) noexcept;

/// The first 8 hexadecimal digits of a link's id, as neighbours are called in logs.
[[nodiscard]] std::string link_name(std::uint32_t link);

}  // namespace meshnet::station
