// SPDX-License-Identifier: MIT
#include "station/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

struct BadConfig {
    const char* name;
    const char* text;
    const char* line;  // the whole message, or its beginning if it ends in *: lists of keys, devices and profiles grow
};

class RefusedConfig : public ::testing::TestWithParam<BadConfig> {};

TEST_P(RefusedConfig, SaysFileLineKeyAndWhatWouldBeRight) {
    const auto config = parse_config(GetParam().text, "station.toml");
    ASSERT_FALSE(config.ok());
    std::string expected = GetParam().line;
    std::string message = config.error().message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    if (expected.ends_with('*')) {
        expected.pop_back();
        message.resize(std::min(message.size(), expected.size()));
    }
    EXPECT_EQ(message, expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedConfig,
    ::testing::Values(
        BadConfig{
            "UnknownKey", "[net]\nprize_msat_per_mib = 3\n",
            "station.toml:2: [net] unknown key 'prize_msat_per_mib'; did you mean 'price_msat_per_mib'? known are "
            "price_msat_per_mib *"},
        BadConfig{"UnknownKeyFarFromAll", "[log]\nrotation = 3\n",
                  "station.toml:2: [log] unknown key 'rotation'; known are level*"},
        BadConfig{"UnknownSection", "\n\n[ratio]\n",
                  "station.toml:3: unknown section 'ratio'; did you mean 'radio'? known are station radio mac *"},
        BadConfig{"KeyWithoutSection", "profile = \"1M\"\n",
                  "station.toml:1: unknown key 'profile'; known are station radio mac *"},
        BadConfig{"SectionAsValue", "radio = 5\n",
                  "station.toml:1: radio is a section; write [radio] on a line of its own and its keys below"},
        BadConfig{"WrongKind", "[tun]\nenabled = \"yes\"\n", "station.toml:2: tun.enabled must be true or false"},
        BadConfig{"UnitInTheValue", "[mac]\nturnaround_ms = \"5ms\"\n",
                  "station.toml:2: mac.turnaround_ms must be a number, 0 to 1000 (milliseconds), for example "
                  "turnaround_ms = 2.0"},
        BadConfig{"OutOfRange", "[mac]\n\nduty_cycle = 1.5\n",
                  "station.toml:3: mac.duty_cycle must be a number, 0.001 to 1 (share of any 10 minutes), for example "
                  "duty_cycle = 1.0"},
        BadConfig{"NotANumber", "[mac]\nduty_cycle = nan\n",
                  "station.toml:2: mac.duty_cycle must be a number, 0.001 to 1 (share of any 10 minutes), for example "
                  "duty_cycle = 1.0"},
        BadConfig{"FractionOfAnInteger", "[tun]\nmtu = 1400.5\n",
                  "station.toml:2: tun.mtu must be a whole number, 1280 to 1500 (bytes), for example mtu = 1400"},
        BadConfig{"UnknownProfile", "[radio]\nprofile = \"3M\"\n",
                  "station.toml:2: radio.profile: unknown profile '3M'; did you mean '1M'? known are 125k *"},
        BadConfig{"UnknownDevice", "[radio]\ndevice = \"hackrf\"\n",
                  "station.toml:2: radio.device: 'hackrf' names no kind of device; the devices are air:*"},
        BadConfig{"DeviceNotInThisBuild", "[radio]\ndevice = \"warp:core=1\"\n",
                  "station.toml:2: radio.device: this build has no kind of device 'warp:'; the devices are "
                  "air:*"},
        BadConfig{"LeadShorterThanTheRelay", "[radio]\ndevice = \"soapy:driver=x\"\nptt_lead_ms = 10.0\n",
                  "station.toml: mac.transmit_lead_ms is too short for what stands before each burst "
                  "(radio.ptt_lead_ms and ramp_us); raise it to at least 11.1"},
        BadConfig{"AirWithoutStation", "[radio]\ndevice = \"air:/tmp/a.sock\"\n",
                  "station.toml:2: radio.device: 'air:/tmp/a.sock' does not name a station; the devices are "
                  "air:*"},
        BadConfig{"BadNeighbour", "[net]\nneighbours = [\"abc\"]\n",
                  "station.toml:2: net.neighbours: \"abc\" is not a node id; a node id is 64 hexadecimal digits "
                  "(meshnet status prints it)"},
        BadConfig{"Windows", "[net]\ninitial_window_kib = 64\nmax_window_kib = 32\n",
                  "station.toml: net.max_window_kib is below net.initial_window_kib; raise it to at least 64"},
        BadConfig{
            "TunPrefix", "[tun]\nprefixes = [\"fd00::1/8\"]\n",
            "station.toml:2: tun.prefixes: \"fd00::1/8\" is not an IPv6 prefix; a prefix is like fd00::/8, all bits "
            "behind its length 0"},
        BadConfig{"TunCongestionControl", "[tun]\ncongestion_control = \"Cubic!\"\n",
                  "station.toml:2: tun.congestion_control: must be a name of "
                  "/proc/sys/net/ipv4/tcp_available_congestion_control, or empty"},
        BadConfig{"TunName", "[tun]\nname = \"a/b\"\n",
                  "station.toml:2: tun.name: must be 1 to 15 printable characters without space, /, : and %"},
        BadConfig{"Level", "[log]\nlevel = \"loud\"\n",
                  "station.toml:2: log.level: unknown log level 'loud'; known are debug info warn error off"}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(Config, BrokenTomlNamesTheLine) {
    const auto config = parse_config("[mac]\nturnaround_ms = = 3\n", "x.toml");
    ASSERT_FALSE(config.ok());
    EXPECT_EQ(config.error().message.rfind("x.toml:2: not TOML: ", 0), 0U) << config.error().message;
    EXPECT_EQ(config.error().message.find('\n'), std::string::npos);
}

TEST(Config, RefusesWhatIsTooLargeOrNested) {
    EXPECT_FALSE(parse_config(std::string((1 << 20) + 1, ' '), "x").ok());
    EXPECT_FALSE(parse_config("a = " + std::string(100'000, '['), "x").ok());
    EXPECT_FALSE(parse_config("[`a]\n", "x").ok()) << "an assert of toml++ 3.3";
    EXPECT_FALSE(parse_config("[[|", "x").ok()) << "another";
}

TEST(Config, OtherThanAsciiOnlyInComments) {
    EXPECT_TRUE(parse_config("# 5 \xc2\xb5s\n[log]\n", "x").ok());
    const auto config = parse_config("[station]\nname = \"k\xc3\xbcste\"\n", "x.toml");
    ASSERT_FALSE(config.ok());
    EXPECT_EQ(config.error().message,
              "x.toml:2: only ASCII characters may stand here; others belong in lines that begin with #");
}

TEST(Config, TheExampleParsesAndIsTheDefaults) {
    const auto config = parse_config(example_config(), "example");
    ASSERT_TRUE(config.ok()) << config.error().message;
    const Config expected;
    EXPECT_EQ(config->name, expected.name);
    EXPECT_EQ(config->key_file, expected.key_file);
    EXPECT_EQ(config->ledger_file, expected.ledger_file);
    EXPECT_EQ(config->control_socket, expected.control_socket);
    EXPECT_EQ(config->device, expected.device);
    EXPECT_EQ(config->profile, expected.profile);
    EXPECT_EQ(config->longest_preamble, expected.longest_preamble);
    EXPECT_EQ(config->mac.turnaround, expected.mac.turnaround);
    EXPECT_EQ(config->mac.transmit_lead, expected.mac.transmit_lead);
    EXPECT_EQ(config->mac.max_propagation, expected.mac.max_propagation);
    EXPECT_EQ(config->mac.hello_interval, expected.mac.hello_interval);
    EXPECT_EQ(config->mac.max_burst, expected.mac.max_burst);
    EXPECT_EQ(config->mac.queue_bytes, expected.mac.queue_bytes);
    EXPECT_EQ(config->mac.snr_margin_db, expected.mac.snr_margin_db);
    EXPECT_EQ(config->mac.duty_cycle, expected.mac.duty_cycle);
    EXPECT_EQ(config->mac.fixed_mode, expected.mac.fixed_mode);
    EXPECT_EQ(config->price_msat_per_mib, expected.price_msat_per_mib);
    EXPECT_EQ(config->max_price_msat_per_mib, expected.max_price_msat_per_mib);
    EXPECT_EQ(config->unit_bytes, expected.unit_bytes);
    EXPECT_EQ(config->initial_window_bytes, expected.initial_window_bytes);
    EXPECT_EQ(config->max_window_bytes, expected.max_window_bytes);
    EXPECT_EQ(config->neighbours, expected.neighbours);
    EXPECT_EQ(config->pay, expected.pay);
    EXPECT_EQ(config->credit.stranger_msat, expected.credit.stranger_msat);
    EXPECT_EQ(config->credit.strangers_msat, expected.credit.strangers_msat);
    EXPECT_EQ(config->credit.unsigned_msat, expected.credit.unsigned_msat);
    EXPECT_EQ(config->credit.highest_price_msat_per_mib, expected.credit.highest_price_msat_per_mib);
    EXPECT_TRUE(config->credit.trusted.empty());
    EXPECT_TRUE(config->credit.refused.empty());
    EXPECT_EQ(config->spend.day_msat, expected.spend.day_msat);
    EXPECT_EQ(config->spend.destination_msat, expected.spend.destination_msat);
    EXPECT_EQ(config->settlement.standard, expected.settlement.standard);
    EXPECT_TRUE(config->settlement.neighbours.empty());
    EXPECT_EQ(config->tun_enabled, expected.tun_enabled);
    EXPECT_EQ(config->tun_name, expected.tun_name);
    EXPECT_EQ(config->tun_mtu, expected.tun_mtu);
    EXPECT_EQ(config->tun_route, expected.tun_route);
    EXPECT_EQ(config->tun_prefixes, expected.tun_prefixes);
    EXPECT_EQ(config->tun_congestion_control, expected.tun_congestion_control);
    EXPECT_EQ(config->log_level, expected.log_level);
}

TEST(Config, EveryKeyIsInTheExampleWithItsMeaning) {
    const std::string example = example_config();
    for (const auto& key : config_keys()) {
        EXPECT_NE(example.find("\n" + std::string(key.name) + " = "), std::string::npos) << key.name;
        EXPECT_FALSE(key.doc.empty()) << key.name;
    }
}

TEST(Config, ValuesArriveWhereTheyBelong) {
    const auto config = parse_config(
        "[station]\nname = \"coast-1\"\n[radio]\nprofile = \"2m\"\nlongest_preamble = "
        "\"short\"\n[mac]\ntransmit_lead_ms = "
        "7\nfixed_mode = "
        "\"qpsk-1/2\"\nqueue_kib = 64\n[net]\nprice_msat_per_mib = 0\nmax_window_kib = 512\nneighbours = "
        "[\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"]\n[tun]\nenabled = false\n[log]\nlevel "
        "= \"debug\"\n",
        "x");
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->name, "coast-1");
    EXPECT_EQ(config->profile, "2M") << "as the table writes it";
    EXPECT_EQ(config->longest_preamble, phy::PreambleClass::kShort);
    EXPECT_EQ(config->mac.transmit_lead, 7ms);
    EXPECT_EQ(config->fixed_mode, "qpsk-1/2");
    EXPECT_EQ(config->mac.queue_bytes, 65'536U);
    EXPECT_EQ(config->price_msat_per_mib, 0U);
    EXPECT_EQ(config->max_window_bytes, 512U * 1024U);
    ASSERT_EQ(config->neighbours.size(), 1U);
    EXPECT_EQ(config->neighbours[0][31], 0x1f);
    EXPECT_FALSE(config->tun_enabled);
    EXPECT_EQ(config->log_level, "debug");
}

TEST(Config, TrustedAndRefusedNodesAreNamedByTheirIds) {
    const std::string id = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const auto config = parse_config("[credit]\ntrusted = [\"" + id + ":5000\"]\nrefused = [\"" + id + "\"]\n", "x");
    ASSERT_TRUE(config.ok()) << config.error().message;
    ASSERT_EQ(config->credit.trusted.size(), 1U);
    EXPECT_EQ(config->credit.trusted[0].id[31], 0x1f);
    EXPECT_EQ(config->credit.trusted[0].credit_msat, 5'000U);
    ASSERT_EQ(config->credit.refused.size(), 1U);
    for (const std::string& bad : {id, id + ":", id + ":x", id + ":99999999999999999", std::string("a:1")}) {
        const auto refused = parse_config("[credit]\ntrusted = [\"" + bad + "\"]\n", "x");
        ASSERT_FALSE(refused.ok()) << bad;
        EXPECT_NE(refused.error().message.find("x:2: credit.trusted"), std::string::npos) << refused.error().message;
    }
}

TEST(Config, NeighboursMayHaveTheirOwnSettlementPolicy) {
    const std::string id = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const auto config = parse_config(
        "[settlement]\nthreshold_msat = 7\nfees = \"payee\"\nneighbours = [\"" + id + ":5000:9000:statement:payer\"]\n",
        "x");
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->settlement.standard.threshold_msat, 7U);
    EXPECT_TRUE(config->settlement.standard.payee_pays_fees);
    const net::SettlementPolicy own = config->settlement.of(*net::node_id_from_string(id));
    EXPECT_EQ(own, (net::SettlementPolicy{5'000, 9'000, "statement", false}));
    EXPECT_EQ(config->settlement.of(net::NodeId{}), config->settlement.standard);
    for (const std::string& bad : {id, id + ":1:2", id + ":1:2:gold:payer", id + ":1:2:statement:nobody",
                                   id + ":1:2:statement:payer:", id + ":x:2:statement:payer",
                                   id + ":1:99999999999999999:statement:payer", std::string("a:1:2:statement:payer")}) {
        const auto refused = parse_config("[settlement]\nneighbours = [\"" + bad + "\"]\n", "x");
        ASSERT_FALSE(refused.ok()) << bad;
        EXPECT_NE(refused.error().message.find("x:2: settlement.neighbours"), std::string::npos)
            << refused.error().message;
    }
}

TEST(Config, RelativePathsAreTakenFromTheFileFolder) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("s.toml");
    std::ofstream(path) << "[station]\nkey_file = \"k\"\nledger_file = \"/abs/l\"\n";
    const auto config = load_config(path);
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->key_file, folder.path("k"));
    EXPECT_EQ(config->ledger_file, "/abs/l");
}

TEST(Config, MissingFileSaysWhatToDo) {
    const auto config = load_config("/does/not/exist.toml");
    ASSERT_FALSE(config.ok());
    EXPECT_EQ(
        config.error().message,
        "/does/not/exist.toml: cannot be opened: No such file or directory; meshnetd --print-config writes an example");
}

TEST(Config, WhatTransmitStatesIsJudgedAsAWhole) {
    const std::string sound =
        "[radio]\nprofile = \"500k\"\nfrequency_hz = 868.3e6\n[transmit]\nbands = [\"EU 868.0-868.6\"]\nauthority = "
        "\"licence-exempt\"\n"
        "full_scale_dbm = 22\nantenna_gain_dbi = 3\n";
    const auto config = parse_config(sound, "f");
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_DOUBLE_EQ(config->transmit.frequency_hz, 868.3e6);
    EXPECT_EQ(config->transmit.air_time_file, "station.airtime");
    EXPECT_FALSE(mentions_band(parse_config("", "f")->transmit));
    const auto why = [&](const std::string& more) {
        const auto wrong = parse_config(sound + more, "f");
        return wrong ? std::string("accepted") : wrong.error().message;
    };
    EXPECT_NE(why("own_bands = [\"x, 1\"]\n").find("f:9: transmit.own_bands: own band 'x, 1': has 2 parts"),
              std::string::npos)
        << why("own_bands = [\"x, 1\"]\n");
    EXPECT_NE(why("air_time_file = \"\"\n").find("[transmit] EU 868.0-868.6 limits the air time"), std::string::npos);
    EXPECT_NE(parse_config("[transmit]\nbands = [\"EU 868.0-868.7\"]\n", "f").error().message.find("did you mean"),
              std::string::npos);
}

}  // namespace
}  // namespace meshnet::station
