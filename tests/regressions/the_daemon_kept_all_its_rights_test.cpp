// SPDX-License-Identifier: MIT
// Fault: the process that parses what anybody sends by radio kept every capability it was started with, could start
// programs, and any program of the same user could read its keys out of its memory, where they also lay about on the
// plain heap.
#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <sstream>
#include <vector>

#include <grp.h>
#include <pwd.h>

#include "tests/regressions/station_in_namespace.hpp"

namespace meshnet::test {
namespace {

/// Memory of another process, mapping by mapping.
struct Mapping {
    std::uint64_t begin = 0, end = 0;
    std::string name;
    bool readable = false;
    bool guarded = false;  ///< locked, and left out of core dumps: libsodium's allocator
};

std::vector<Mapping> mappings(pid_t pid) {
    std::vector<Mapping> out;
    std::ifstream smaps("/proc/" + std::to_string(pid) + "/smaps");
    for (std::string line; std::getline(smaps, line);) {
        Mapping m;
        char rights[5] = "";
        int name = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %*s %n", &m.begin, &m.end, rights, &name) >= 3) {
            m.readable = rights[0] == 'r';
            m.name = line.substr(std::min<std::size_t>(static_cast<std::size_t>(name), line.size()));
            out.push_back(m);
        } else if (line.starts_with("VmFlags:") && !out.empty()) {
            out.back().guarded = line.find(" lo") != std::string::npos && line.find(" dd") != std::string::npos;
        }
    }
    return out;
}

/// Where `what` lies in the memory of a process, by the name of the mapping; "guarded" for guarded memory.
std::map<std::string, int> places_of(pid_t pid, const std::string& what) {
    std::map<std::string, int> out;
    std::ifstream memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
    for (const Mapping& m : mappings(pid)) {
        if (!m.readable || m.name.starts_with("[v")) {
            continue;
        }
        std::string bytes(m.end - m.begin, '\0');
        memory.clear();
        memory.seekg(static_cast<std::streamoff>(m.begin));
        memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(memory.gcount(), 0)));
        for (std::size_t at = bytes.find(what); at != std::string::npos; at = bytes.find(what, at + 1)) {
            ++out[m.guarded ? "guarded" : m.name.empty() ? "no name" : m.name];
        }
    }
    return out;
}

/// What /proc/PID/status says of one field.
std::string status_field(pid_t pid, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name + ":")) {
            return line.substr(line.find_first_not_of(" \t", name.size() + 1));
        }
    }
    return {};
}

std::uint64_t capabilities(pid_t pid, const std::string& set) {
    return std::stoull("0" + status_field(pid, set), nullptr, 16);
}

/// Whether a program of user and group `id` may read that process's memory.
bool can_read_memory_as(uid_t id, pid_t pid) {
    const pid_t reader = ::fork();
    if (reader == 0) {
        const bool became =
            ::setgroups(0, nullptr) == 0 && ::setresgid(id, id, id) == 0 && ::setresuid(id, id, id) == 0;
        const std::string path = "/proc/" + std::to_string(pid) + "/mem";
        ::_exit(!became ? 2 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0 ? 1 : 0);
    }
    int status = 0;
    ::waitpid(reader, &status, 0);
    EXPECT_NE(WEXITSTATUS(status), 2);
    return WEXITSTATUS(status) == 1;
}

class TheDaemonKeptAllItsRights : public StationInNamespace {
protected:
    static constexpr uid_t kOther = 65'534;

    /// Every thread: capabilities belong to threads.
    void expect_confined(pid_t pid, std::uint64_t kept) {
        for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
            const auto thread = static_cast<pid_t>(std::stol(task.path().filename().string()));
            for (const char* set : {"CapEff", "CapPrm"}) {
                EXPECT_EQ(capabilities(thread, set), kept) << set << " of thread " << thread;
            }
            for (const char* set : {"CapInh", "CapAmb", "CapBnd"}) {
                EXPECT_EQ(capabilities(thread, set), 0U) << set << " of thread " << thread;
            }
            EXPECT_EQ(status_field(thread, "NoNewPrivs"), "1");
            EXPECT_EQ(status_field(thread, "Seccomp"), "2");
        }
        std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
        const std::string all{std::istreambuf_iterator<char>(limits), {}};
        std::istringstream core(all.substr(std::min(all.find("Max core file size"), all.size())));
        std::string words[6];
        for (auto& word : words) {
            core >> word;
        }
        EXPECT_EQ(words[4] + words[5], "00") << all;
    }
    /// The master, device and exchange secrets of a key file, each as bytes and as it is written there. Without the
    /// ends, which X25519 changes in its copies.
    std::vector<std::string> secrets_of(const std::string& file) {
        std::ifstream in(folder_.path(file));
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        const std::size_t begin = text.rfind(':', text.rfind(':') - 1) + 1;
        std::vector<std::string> out;
        for (std::size_t secret = 0; secret < 3; ++secret) {
            const std::string digits = text.substr(begin + 64 * secret + 4, 56);
            std::string bytes;
            for (std::size_t i = 0; i < digits.size(); i += 2) {
                bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
            }
            out.push_back(bytes);
            out.push_back(digits);
        }
        return out;
    }
    void expect_secrets_guarded(pid_t pid, const std::string& key_file) {
        int guarded = 0;
        for (const std::string& secret : secrets_of(key_file)) {
            for (const auto& [place, count] : places_of(pid, secret)) {
                EXPECT_EQ(place, "guarded") << count << " times, a secret of " << secret.size() << " bytes";
                guarded += place == "guarded" ? count : 0;
            }
        }
        EXPECT_GE(guarded, 3) << "the search finds what is there";
    }
};

TEST_F(TheDaemonKeptAllItsRights, WhatIsLeftCarriesTrafficAndRepairsTheTun) {
    start_pair();
    const pid_t pid = pid_of("a");
    expect_confined(pid, std::uint64_t{1} << CAP_NET_ADMIN);
    EXPECT_TRUE(ping()) << said() << log();
    ASSERT_EQ(shell("ip link del mesh0"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && logged("deleted by another program; put back"); })) << log();
    ASSERT_EQ(shell("echo 1 > /proc/sys/net/ipv6/conf/mesh0/disable_ipv6"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && logged("disable_ipv6"); })) << log();
    EXPECT_TRUE(ping()) << said() << log();
    expect_confined(pid, std::uint64_t{1} << CAP_NET_ADMIN);
    expect_secrets_guarded(pid, "a.key");
    EXPECT_FALSE(logged("CAP_DAC_OVERRIDE is kept")) << log();
}

TEST_F(TheDaemonKeptAllItsRights, AFreshKeyLeavesNoCopyEither) {
    start();  // makes its key
    expect_secrets_guarded(pid_of("a"), "a.key");
}

TEST_F(TheDaemonKeptAllItsRights, AsAnotherUserItsMemoryIsItsOwn) {
    const passwd* nobody = ::getpwuid(kOther);  // NOLINT(concurrency-mt-unsafe): one thread
    if (nobody == nullptr) {
        GTEST_SKIP() << "no user " << kOther << " here";
    }
    write_config();
    std::ofstream(folder_.path("a.toml"), std::ios::app) << "[log]\nlevel = \"info\"\n";
    ASSERT_EQ(shell("sed -i 's/^name = \"a\"/name = \"a\"\\nuser = \"" + std::string(nobody->pw_name) +
                    "\"/' a.toml && chown -R " + std::to_string(kOther) + " ."),
              0);
    launch("a");
    ASSERT_TRUE(eventually([&] { return !status().is_null(); })) << log();
    const pid_t pid = pid_of("a");
    EXPECT_EQ(status_field(pid, "Uid").substr(0, 5), std::to_string(kOther));
    expect_confined(pid, std::uint64_t{1} << CAP_NET_ADMIN);
    ASSERT_EQ(shell("ip link del mesh0"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && logged("put back"); })) << log();
    EXPECT_FALSE(can_read_memory_as(kOther, pid));

    std::ifstream yama("/proc/sys/kernel/yama/ptrace_scope");
    if (int scope = 0; yama >> scope && scope != 0) {
        return;  // here no program reads another's memory
    }
    const pid_t sleeper = ::fork();  // what any other process of that user would show
    if (sleeper == 0) {
        if (::setresgid(kOther, kOther, kOther) == 0 && ::setresuid(kOther, kOther, kOther) == 0) {
            ::execlp("sleep", "sleep", "600", static_cast<char*>(nullptr));
        }
        ::_exit(127);
    }
    EXPECT_TRUE(eventually([&] { return can_read_memory_as(kOther, sleeper); })) << "the check can fail";
    ::kill(sleeper, SIGKILL);
    ::waitpid(sleeper, nullptr, 0);
}

TEST_F(TheDaemonKeptAllItsRights, RootIsToldWhoseFilesNeedMore) {
    write_config();
    ASSERT_EQ(shell("chown " + std::to_string(kOther) + " . && chmod 755 ."), 0);
    launch("a");
    ASSERT_TRUE(eventually([&] { return !status().is_null(); })) << log();
    EXPECT_TRUE(logged("belongs to another user: CAP_DAC_OVERRIDE is kept for it")) << log();
    expect_confined(pid_of("a"), std::uint64_t{1} << CAP_NET_ADMIN | std::uint64_t{1} << CAP_DAC_OVERRIDE);
}

TEST_F(TheDaemonKeptAllItsRights, AnUnknownUserIsOneLine) {
    write_config();
    ASSERT_EQ(shell("sed -i 's/^name = \"a\"/user = \"no-such-user\"\\nname = \"a\"/' a.toml"), 0);
    EXPECT_EQ(shell(std::string("timeout 60 ") + MESHNETD + " --config a.toml"), 1);
    EXPECT_EQ(said(), "meshnetd: [station] user: there is no user \"no-such-user\" here\n");
}

}  // namespace
}  // namespace meshnet::test
