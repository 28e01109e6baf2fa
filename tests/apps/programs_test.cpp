// SPDX-License-Identifier: MIT
// meshnetd and meshnet-cli as a person meets them: exit codes, one clear line, pipes, hurt files.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <sstream>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"
#include "station/control/views.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

std::size_t lines_of(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Programs : public ::testing::Test {
protected:
    struct Ran {
        int code = -1;
        std::string out, err;
    };
    Programs() {
        ::setenv("D", MESHNETD, 1);
        ::setenv("C", MESHNET_CLI, 1);
    }
    ~Programs() override {
        run("test ! -e a.sock || kill -KILL $(cat a.pid)");  // only a test that failed has left its daemon behind
    }
    /// A shell command in the folder; $D is meshnetd, $C is meshnet-cli.
    Ran run(const std::string& command) {
        const std::string all = "cd " + folder_.path("") + " && { " + command + "; } > out 2> err < /dev/null";
        const int status = std::system(all.c_str());  // NOLINT(cert-env33-c): a fixed command of this test
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(folder_.path("out")),
                read_file(folder_.path("err"))};
    }
    void write_config(const std::string& name, const std::string& more = "") {
        write_file(folder_.path(name + ".toml"),
                   "[station]\nname = \"" + name + "\"\nkey_file = \"" + name + ".key\"\nledger_file = \"" + name +
                       ".ledger\"\ncontrol_socket = \"" + name + ".sock\"\n[radio]\ndevice = \"file:" +
                       folder_.path("air.cf32") + "\"\n[tun]\nenabled = false\n" + more);
    }
    /// A recording of silence; sparse, so its length costs nothing.
    void write_silence(double seconds) {
        write_file(folder_.path("air.cf32"), "");
        std::filesystem::resize_file(folder_.path("air.cf32"), static_cast<std::uintmax_t>(seconds * 1e6) * 8);
    }
    /// Waits until the daemon at this socket answers; false if it never does.
    bool answers(const std::string& socket) {
        for (int i = 0; i < 1'800; ++i) {  // minutes: the end of a hang
            if (run("$C status --socket " + socket).code == 0) {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        return false;
    }
    std::vector<nlohmann::json> json_lines(const std::string& text) {
        std::vector<nlohmann::json> out;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            out.push_back(nlohmann::json::parse(line));
        }
        return out;
    }
    /// Three frames of a known payload in noise, as `name`.
    void write_frames(const std::string& name, const std::string& options = "") {
        std::string payload(4'000, '\0');
        Rng rng(21);
        for (auto& c : payload) {
            c = static_cast<char>(rng.next_u64());
        }
        write_file(folder_.path("payload"), payload);
        const auto made = run("$C modulate --mode qpsk-1/2 " + options + " --output clean.cf32 < payload");
        ASSERT_EQ(made.code, 0) << made.err;
        std::string bytes = read_file(folder_.path("clean.cf32"));
        std::vector<float> values(bytes.size() / 4);
        std::memcpy(values.data(), bytes.data(), values.size() * 4);
        for (auto& v : values) {
            v += static_cast<float>(0.01 * rng.normal());
        }
        std::memcpy(bytes.data(), values.data(), values.size() * 4);
        write_file(folder_.path(name), bytes);
    }
    test::TemporaryFolder folder_;
};

TEST_F(Programs, TheExampleConfigurationIsFine) {
    const auto ran = run("$D --print-config > x.toml && $D --config x.toml --check");
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, "x.toml: fine\n");
}

TEST_F(Programs, WrongQuestionsToTheDaemon) {
    for (const char* command : {"$D", "$D --nonsense", "$D --config", "$D --config no.toml"}) {
        const auto ran = run(command);
        EXPECT_EQ(ran.code, 2) << command;
        EXPECT_EQ(lines_of(ran.err), 1U) << ran.err;
    }
    write_file(folder_.path("bad.toml"), "[net]\nprize_msat_per_mib = 1\n");
    const auto ran = run("$D --config bad.toml");
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(
        ran.err,
        "meshnetd: bad.toml:2: [net] unknown key 'prize_msat_per_mib'; did you mean 'price_msat_per_mib'? known are "
        "price_msat_per_mib max_price_msat_per_mib unit_bytes initial_window_kib max_window_kib neighbours pad_frames "
        "pay\n");
}

// The master key stays away from the station; no command ever prints a secret.
TEST_F(Programs, AMasterKeyCertifiesReplacesAndRevokesDevices) {
    write_config("a");
    const auto master = run("$C keys master --out safe");
    ASSERT_EQ(master.code, 0) << master.err;
    const std::string address = master.out;
    ASSERT_EQ(run("$C keys device --out pending > request").code, 0);
    ASSERT_EQ(run("$C keys certify --master safe --serial 1 --until 2030-12-31 - < request > certificate").code, 0);
    const auto installed = run("$C keys install --device pending --out a.key - < certificate");
    EXPECT_EQ(installed.code, 0) << installed.err;
    EXPECT_EQ(installed.out, address);
    EXPECT_EQ(run("stat -c %a safe pending a.key").out, "600\n600\n600\n");
    const auto init = run("$D --config a.toml --init");
    EXPECT_EQ(init.code, 0) << init.err;
    EXPECT_NE(init.out.find(address.substr(0, address.size() - 1)), std::string::npos) << init.out;

    EXPECT_EQ(run("$C keys show safe").out, "master key of " + address);
    EXPECT_EQ(run("$C keys show a.key").out,
              "key file of station " + address.substr(0, address.size() - 1) + ", without the master key\n");
    EXPECT_EQ(run("$C keys show \"$(cat certificate)\"").out,
              "certificate of " + address.substr(0, address.size() - 1) + ", serial 1, meant until 2030-12-31\n");

    // The key that `meshnetd --init` made holds its master key; it is taken apart.
    write_config("b");
    ASSERT_EQ(run("$D --config b.toml --init").code, 0);
    ASSERT_EQ(run("$C keys split b.key --master b.safe --out b.apart").code, 0);
    EXPECT_NE(run("$C keys show b.key").out.find("with its master key"), std::string::npos);
    EXPECT_NE(run("$C keys show b.apart").out.find("without the master key"), std::string::npos);
    EXPECT_EQ(run("$C keys split b.apart --master x --out y").code, 1);

    // A running station takes the revocation of another node's device, and that of its own is an alarm.
    write_silence(3600);
    run("$D --config a.toml > log 2>&1 & echo $! > a.pid");
    ASSERT_TRUE(answers("a.sock"));
    ASSERT_EQ(run("$C keys revoke --master b.safe --serial 1 > gone").code, 0);
    EXPECT_EQ(run("$C keys publish --socket a.sock - < gone").out, "taken; it goes to every station that is reached\n");
    EXPECT_EQ(run("$C keys publish --socket a.sock - < gone").out, "nothing new to this station\n");
    EXPECT_EQ(run("$C status --json --socket a.sock").out.find("revoked"), std::string::npos);
    ASSERT_EQ(run("$C keys revoke --master safe --serial 1 | $C keys publish --socket a.sock -").code, 0);
    const auto status = nlohmann::json::parse(run("$C status --json --socket a.sock").out);
    ASSERT_EQ(status["alarms"].size(), 1U) << status;
    EXPECT_EQ(status["alarms"][0]["kind"], "device key replaced or revoked");
    run("until grep -q 'ALARM: the key of this device' log; do sleep 0.1; done");
    run("$C stop --socket a.sock; while kill -0 $(cat a.pid); do sleep 0.1; done");
}

TEST_F(Programs, WrongKeysAreOneLine) {
    ASSERT_EQ(run("$C keys master --out safe && $C keys device --out pending > request").code, 0);
    ASSERT_EQ(run("$C keys master --out other && $C keys device --out third > request3").code, 0);
    ASSERT_EQ(run("$C keys certify --master other --serial 1 - < request3 > for_third").code, 0);
    for (const auto& [command, code] : std::initializer_list<std::pair<const char*, int>>{
             {"$C keys", 2},
             {"$C keys master --out safe", 1},  // there is one
             {"$C keys master --out no/such/folder", 1},
             {"$C keys certify --master safe --serial 0 - < request", 2},
             {"$C keys certify --master safe --serial 1 --until 2030-02-30 - < request", 2},
             {"$C keys certify --master safe --serial 1 nonsense", 2},
             {"$C keys certify --master safe --serial 1 - < /dev/null", 2},
             {"$C keys certify --master pending --serial 1 - < request", 1},
             {"$C keys certify --master none --serial 1 - < request", 1},
             {"$C keys install --device pending --out key - < for_third", 2},
             {"$C keys install --device safe --out key - < for_third", 1},
             {"$C keys revoke --master safe --serial 0", 2},
             {"$C keys publish --socket no.sock - < for_third", 1},
             {"$C keys publish --socket no.sock nonsense", 2},
             {"$C keys show request", 1},
             {"chmod 644 safe && $C keys show safe", 1},
         }) {
        const auto ran = run(command);
        EXPECT_EQ(ran.code, code) << command << ": " << ran.err;
        EXPECT_EQ(ran.out, "") << command;
        if (code == 1) {
            EXPECT_EQ(lines_of(ran.err), 1U) << command << ": " << ran.err;
        }
        EXPECT_EQ(ran.err.find("meshnet-master-v1:" + std::string("0")), std::string::npos);
    }
    EXPECT_EQ(run("test ! -e key").code, 0) << "nothing is left by an installation that failed";
}

TEST_F(Programs, InitMakesOneKey) {
    write_config("a");
    const auto first = run("$D --config a.toml --init");
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_NE(first.out.find("made\n"), std::string::npos);
    EXPECT_NE(first.out.find("address  fd"), std::string::npos);
    const auto second = run("$D --config a.toml --init");
    EXPECT_NE(second.out.find("was there\n"), std::string::npos);
    EXPECT_EQ(first.out.substr(first.out.find("id ")), second.out.substr(second.out.find("id ")));
    ASSERT_EQ(::chmod(folder_.path("a.key").c_str(), 0644), 0);
    const auto open = run("$D --config a.toml");
    EXPECT_EQ(open.code, 1);
    EXPECT_EQ(open.err, "meshnetd: key file a.key can be read by others; run: chmod 600 a.key\n");
    ASSERT_EQ(::chmod(folder_.path("a.key").c_str(), 0600), 0);
    write_file(folder_.path("a.key"), "not a key");
    const auto wrong = run("$D --config a.toml");
    EXPECT_EQ(wrong.code, 1);
    EXPECT_EQ(lines_of(wrong.err), 1U) << wrong.err;
}

TEST_F(Programs, NoRadioThere) {
    write_config("a");  // and no recording
    const auto ran = run("$D --config a.toml");
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err.substr(ran.err.find("meshnetd:")),
              "meshnetd: recording " + folder_.path("air.cf32") + " cannot be opened: No such file or directory\n");
    EXPECT_FALSE(std::filesystem::exists(folder_.path("a.sock"))) << "nothing is left behind";
}

TEST_F(Programs, ARecordingIsPlayedToItsEndAndEverythingIsClosed) {
    write_silence(0.3);
    write_config("a");
    const auto ran = run("$D --config a.toml --record copy.cf32");
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find("the recording is over"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(folder_.path("a.sock")));
    EXPECT_TRUE(std::filesystem::exists(folder_.path("a.ledger")));
    EXPECT_EQ(std::filesystem::file_size(folder_.path("copy.cf32")), 300'000U * 8);
    EXPECT_TRUE(std::filesystem::exists(folder_.path("copy.cf32.sigmf-meta")));
}

TEST_F(Programs, ALedgerOfAnotherStationIsRefused) {
    write_silence(0.1);
    write_config("a");
    write_config("b");
    ASSERT_EQ(run("$D --config a.toml").code, 0);
    ASSERT_EQ(run("sed -i 's/b.ledger/a.ledger/' b.toml").code, 0);
    const auto keyless = run("$D --config b.toml");  // a new key would be a new station beside the ledger of another
    EXPECT_EQ(keyless.code, 1);
    EXPECT_NE(keyless.err.find("meshnetd: key file b.key is missing"), std::string::npos) << keyless.err;
    ASSERT_EQ(run("$D --config b.toml --init").code, 1);
    write_config("b");
    ASSERT_EQ(run("$D --config b.toml --init").code, 0);
    ASSERT_EQ(run("sed -i 's/b.ledger/a.ledger/' b.toml").code, 0);
    const auto other = run("$D --config b.toml");
    EXPECT_EQ(other.code, 1);
    EXPECT_NE(other.err.find("meshnetd: ledger a.ledger belongs to station fd"), std::string::npos) << other.err;
}

TEST_F(Programs, ARunningDaemonAnswersAndStopsAndSharesNothing) {
    write_silence(300);
    write_config("a");
    write_config("b");
    ASSERT_EQ(run("$D --config a.toml 2> a.log & echo $! > a.pid").code, 0);
    ASSERT_TRUE(answers("a.sock")) << read_file(folder_.path("a.log"));

    const auto status = run("$C status --config a.toml --json");
    ASSERT_EQ(status.code, 0) << status.err;
    const auto json = nlohmann::json::parse(status.out);
    EXPECT_EQ(json["name"], "a");
    EXPECT_EQ(json["tun"], nullptr);
    EXPECT_EQ(run("$C status --socket a.sock").code, 0);
    for (const View& view : views()) {
        const std::string command = "$C " + std::string(view.name) + " --socket a.sock";
        const auto shown = run(command);
        EXPECT_EQ(shown.code, 0) << view.name << shown.err;
        EXPECT_NE(shown.out, "") << view.name << ": a table, or a line that says why there is none";
        const auto json_view = run(command + " --json");
        EXPECT_TRUE(nlohmann::json::accept(json_view.out)) << view.name << ": " << json_view.out;
    }
    EXPECT_EQ(run("$C price --socket a.sock --set 77").out, "77 msat per MiB\n");
    EXPECT_EQ(nlohmann::json::parse(run("$C price --socket a.sock --json").out)["price_msat_per_mib"], 77);

    ASSERT_EQ(run("kill -HUP $(cat a.pid)").code, 0);  // as of a closed terminal: no reason to die
    EXPECT_EQ(run("$C status --socket a.sock").code, 0);

    const auto same_socket = run("$D --config a.toml");
    EXPECT_EQ(same_socket.code, 1);
    EXPECT_EQ(same_socket.err,
              "meshnetd: control socket a.sock is in use by another meshnetd; stop it or choose another path\n");
    ASSERT_EQ(run("$D --config b.toml --init").code, 0);
    write_file(folder_.path("c.toml"), read_file(folder_.path("b.toml")));
    ASSERT_EQ(run("sed -i 's/b.ledger/a.ledger/' c.toml").code, 0);
    const auto same_ledger = run("$D --config c.toml");
    EXPECT_EQ(same_ledger.code, 1);
    EXPECT_NE(same_ledger.err.find("in use"), std::string::npos) << same_ledger.err;

    EXPECT_EQ(
        run("kill -TERM $(cat a.pid); for i in $(seq 1800); do test -e a.sock || exit 0; sleep 0.1; done; exit 1").code,
        0);
    EXPECT_NE(read_file(folder_.path("a.log")).find("stopping"), std::string::npos);
    const auto gone = run("$C status --socket a.sock");
    EXPECT_EQ(gone.code, 1);
    EXPECT_EQ(lines_of(gone.err), 1U) << gone.err;
    const auto offline = run("$C ledger --file a.ledger --json");
    EXPECT_EQ(offline.code, 0) << offline.err;
    EXPECT_TRUE(nlohmann::json::parse(offline.out).contains("totals"));
}

TEST_F(Programs, ModemThroughAPipe) {
    write_frames("noisy.cf32");
    const auto ran = run("cat noisy.cf32 | $C demodulate - --json --output back");
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto lines = json_lines(ran.out);
    ASSERT_EQ(lines.size(), 4U) << "frames of 1500, 1500 and 1000 bytes, and the summary";
    std::string payload;
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(lines[static_cast<std::size_t>(i)]["mode"], "qpsk-1/2");
        EXPECT_TRUE(lines[static_cast<std::size_t>(i)]["crc_ok"].get<bool>());
        EXPECT_GT(lines[static_cast<std::size_t>(i)]["snr_db"].get<double>(), 15.0);
        payload += lines[static_cast<std::size_t>(i)]["payload"].get<std::string>();
    }
    const std::string sent = read_file(folder_.path("payload"));
    EXPECT_EQ(payload, to_hex(Bytes(sent.begin(), sent.end())));
    EXPECT_EQ(read_file(folder_.path("back")), sent);
    EXPECT_NEAR(lines[0]["time_s"].get<double>(), 0.002, 1e-5) << "after the gap";
    EXPECT_EQ(lines[3]["summary"]["frames_ok"], 3);
    EXPECT_EQ(ran.err, "");
    const auto human = run("$C demodulate noisy.cf32");
    EXPECT_EQ(human.code, 0);
    EXPECT_EQ(lines_of(human.out), 4U);
}

TEST_F(Programs, ModemAtAnotherSampleRate) {
    write_frames("noisy.cf32", "--rate 2400000");
    const auto ran = run("$C demodulate noisy.cf32 --rate 2400000 --json");
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto lines = json_lines(ran.out);
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[3]["summary"]["frames_ok"], 3);
    const auto meta = nlohmann::json::parse(read_file(folder_.path("clean.cf32.sigmf-meta")));
    EXPECT_EQ(meta["global"]["core:sample_rate"], 2.4e6);
    ASSERT_EQ(meta["annotations"].size(), 3U);
    // The metadata and the receiver name the same samples: to within the receiver's timing of a few.
    EXPECT_NEAR(lines[1]["sample_index"].get<double>(),
                meta["annotations"][1]["core:sample_start"].get<double>() - 57.6, 60.0);
}

TEST_F(Programs, ModemInIntegerFormats) {
    write_frames("noisy.cf32");
    for (const char* format : {"cs8", "cs16"}) {
        const std::string f = format;
        const auto ran =
            run("$C modulate --format " + f + " < payload | $C demodulate - --format " + f + " --json | tail -1");
        ASSERT_EQ(ran.code, 0) << ran.err;
        EXPECT_EQ(json_lines(ran.out).at(0)["summary"]["frames_ok"], 3) << f;
    }
}

TEST_F(Programs, WrongQuestionsToTheModem) {
    const auto mode = run("echo x | $C modulate --mode qpsk-9/10 --output x");
    EXPECT_EQ(mode.code, 2);
    EXPECT_EQ(
        mode.err.rfind("meshnet-cli: unknown mode 'qpsk-9/10'; did you mean 'qpsk-1/5'? known are qpsk-1/5x16 ", 0), 0U)
        << mode.err;
    EXPECT_EQ(lines_of(mode.err), 1U);
    const auto profile = run("$C demodulate --profile 3M x");
    EXPECT_EQ(profile.code, 2);
    EXPECT_EQ(profile.err.rfind("meshnet-cli: unknown profile '3M'; did you mean '1M'? known are 125k ", 0), 0U)
        << profile.err;
    EXPECT_EQ(lines_of(profile.err), 1U);
    EXPECT_EQ(run("$C demodulate --format cu9 x").code, 2);
    EXPECT_EQ(run("$C demodulate --rate 1000 x").err,
              "meshnet-cli: a sample rate of 1000 Hz cannot hold profile 1M, which occupies 812500 Hz\n");
    for (const char* rate : {"nan", "-5", "1e12"}) {
        const auto wrong = run(std::string("$C demodulate x --rate ") + rate);
        EXPECT_EQ(wrong.code, 2) << rate;
        EXPECT_NE(wrong.err.find("is not possible; it is a number"), std::string::npos) << wrong.err;
    }
    EXPECT_EQ(run("echo x | $C modulate --gap-ms nan --output x").err, "meshnet-cli: --gap-ms is not a number\n");
    EXPECT_EQ(run("$C demodulate no-such-file").code, 1);
    EXPECT_EQ(run("$C nonsense").code, 2);
    EXPECT_EQ(run("$C").code, 2);
    const auto nothing = run("$C modulate --output x < /dev/null");
    EXPECT_EQ(nothing.code, 1);
    EXPECT_EQ(nothing.err, "meshnet-cli: nothing on standard input: no frame made\n");
}

// A recording as a device plays once; listening ends with it.
TEST_F(Programs, ListeningToARecordingEnds) {
    write_frames("noisy.cf32");
    const auto ran = run("timeout 120 $C demodulate --device file:noisy.cf32 --json --output back");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(json_lines(ran.out).back()["summary"]["frames_ok"], 3);
    EXPECT_EQ(read_file(folder_.path("back")), read_file(folder_.path("payload")));
}

TEST_F(Programs, MetadataBesideARecordingTellsItsRateAndFormat) {
    write_frames("noisy.cf32");
    ASSERT_EQ(run("$C modulate --rate 4e6 --format cs16 --output x.sigmf-data < payload").code, 0);
    ASSERT_EQ(run("$C modulate --rate 2e6 --output y.cs8 < payload").code, 0);
    for (const char* file : {"x.sigmf-data", "x.sigmf-meta", "y.cs8", "y.cs8.sigmf-meta"}) {
        const auto ran = run(std::string("$C demodulate --json --output back ") + file);
        ASSERT_EQ(ran.code, 0) << file << ": " << ran.err;
        EXPECT_EQ(json_lines(ran.out).back()["summary"]["frames_ok"], 3) << file;
        EXPECT_EQ(read_file(folder_.path("back")), read_file(folder_.path("payload"))) << file;
    }
    // What is said aloud counts more, and then the metadata may be anything.
    const auto other = run("$C demodulate x.sigmf-data --rate 2e6 --json | tail -1");
    EXPECT_EQ(json_lines(other.out).at(0)["summary"]["frames"], 0) << "read at a wrong rate because told so";
    const std::string meta = read_file(folder_.path("x.sigmf-meta"));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string changed = meta;
        changed.replace(changed.find(from), from.size(), to);
        return changed;
    };
    for (const auto& [bad, line] : std::initializer_list<std::pair<std::string, std::string>>{
             {"not json", "is not SigMF metadata"},
             {"{\"global\": 3}", "is not SigMF metadata"},
             {std::string(100'000, '['), "is not SigMF metadata"},
             {with("ci16_le", "ri16_le"), "core:datatype 'ri16_le' is real samples"},
             {with("\"ci16_le\"", "7"), "core:datatype 'number' is not known"},
             {with("4000000.0", "\"4 MHz\""), "core:sample_rate is not a number"},
             {with("4000000.0", "-4e6"), "core:sample_rate -4000000 is not above 0"},
             {with("\"core:recorder\"", "\"core:num_channels\": 2, \"core:recorder\""),
              "core:num_channels is 2: several channels"}}) {
        write_file(folder_.path("x.sigmf-meta"), bad);
        const auto ran = run("$C demodulate x.sigmf-data");
        EXPECT_NE(ran.code, 0) << line;
        EXPECT_NE(ran.err.find(line), std::string::npos) << ran.err;
        EXPECT_EQ(lines_of(ran.err), 1U) << ran.err;
    }
    const auto told = run("$C demodulate x.sigmf-data --rate 4e6 --format cs16 --json | tail -1");
    EXPECT_EQ(json_lines(told.out).at(0)["summary"]["frames_ok"], 3);
}

TEST_F(Programs, NoFileIsDestroyedByBeingItsOwnInput) {
    write_frames("noisy.cf32");
    const std::string before = read_file(folder_.path("noisy.cf32"));
    ASSERT_EQ(run("ln noisy.cf32 other.cf32").code, 0);
    for (const char* command :
         {"$C demodulate noisy.cf32 --output noisy.cf32", "$C demodulate --output other.cf32 < noisy.cf32",
          "ulimit -f 100000; $C modulate --output noisy.cf32 < noisy.cf32"}) {
        const auto ran = run(command);
        EXPECT_EQ(ran.code, 2) << command;
        EXPECT_NE(ran.err.find("is also the input"), std::string::npos) << ran.err;
        EXPECT_EQ(read_file(folder_.path("noisy.cf32")), before) << command;
    }
    EXPECT_EQ(run("$C modulate --output noisy.cf32 < /dev/null").code, 1);
    EXPECT_EQ(read_file(folder_.path("noisy.cf32")), before) << "no input, so the file of before";
}

TEST_F(Programs, WhatCannotBeReadOrWrittenIsNoSuccess) {
    write_frames("noisy.cf32");
    write_file(folder_.path("empty.cf32"), "");
    const auto empty = run("$C demodulate empty.cf32 --json");
    EXPECT_EQ(empty.code, 1);
    EXPECT_EQ(empty.err, "meshnet-cli: empty.cf32 holds no samples\n");
    EXPECT_EQ(json_lines(empty.out).back()["summary"]["samples"], 0);
    EXPECT_EQ(run("$C demodulate < /dev/null").err, "meshnet-cli: standard input holds no samples\n");
    EXPECT_EQ(run("$C demodulate noisy.cf32 --output /dev/full").code, 1);
    EXPECT_EQ(run("$C demodulate noisy.cf32 > /dev/full").code, 1);
    EXPECT_EQ(run("$C profiles > /dev/full").err, "meshnet-cli: standard output cannot be written\n");
    EXPECT_EQ(run("$C profiles | true").err, "");
    EXPECT_EQ(run("mkfifo pipe; cat pipe > copy & $C modulate --output pipe < payload && wait").code, 0);
    EXPECT_FALSE(std::filesystem::exists(folder_.path("pipe.sigmf-meta"))) << "metadata only beside a file";
}

TEST_F(Programs, ATruncatedFileGivesItsWholeFramesAndAWarning) {
    write_frames("noisy.cf32");
    const auto size = std::filesystem::file_size(folder_.path("noisy.cf32"));
    std::filesystem::resize_file(folder_.path("noisy.cf32"),
                                 size - 60'003);  // inside the last frame and inside a sample
    const auto ran = run("$C demodulate noisy.cf32 --json");
    EXPECT_EQ(ran.code, 0);
    const auto lines = json_lines(ran.out);
    ASSERT_GE(lines.size(), 3U) << ran.out;
    const auto summary = lines.back()["summary"];
    EXPECT_EQ(summary["frames_ok"], 2);
    EXPECT_EQ(summary["frames_cut_off"], 1);
    EXPECT_EQ(summary["bytes_ignored"], 5);
    EXPECT_EQ(ran.err,
              "meshnet-cli: warning: the file ends inside a sample; its last 5 bytes are ignored\n"
              "meshnet-cli: warning: 1 frame(s) began and do not end before the file does\n");
}

TEST_F(Programs, AFrameAtTheVeryFirstSampleIsFound) {
    write_frames("noisy.cf32", "--gap-ms 0");
    const auto lines = json_lines(run("$C demodulate noisy.cf32 --json").out);
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[0]["sample_index"], 0);
    EXPECT_EQ(lines[3]["summary"]["frames_ok"], 3);
}

TEST_F(Programs, SamplesThatAreNoNumbersAreCountedAndTheRestDecodes) {
    write_frames("noisy.cf32");
    std::string bytes = read_file(folder_.path("noisy.cf32"));
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (std::size_t i = 0; i < 40; ++i) {  // in the silence before the first frame
        std::memcpy(bytes.data() + (500 + i) * 8, &nan, 4);
    }
    write_file(folder_.path("noisy.cf32"), bytes);
    const auto ran = run("$C demodulate noisy.cf32 --json | tail -1");
    const auto summary = json_lines(ran.out).at(0)["summary"];
    EXPECT_EQ(summary["samples_not_finite"], 40);
    EXPECT_EQ(summary["frames_ok"], 3);
    EXPECT_EQ(ran.err, "meshnet-cli: warning: the file holds samples that are not numbers; each is taken as 0\n");
}

TEST_F(Programs, ListsAreTables) {
    EXPECT_GT(lines_of(run("$C modes").out), 10U);
    EXPECT_EQ(nlohmann::json::parse(run("$C profiles --json").out).size(), phy::profiles().size());
    EXPECT_EQ(nlohmann::json::parse(run("$C modes --json").out)[0]["mode"], "qpsk-1/5x16");
}

}  // namespace
}  // namespace meshnet::station
