// SPDX-License-Identifier: MIT
#include "station/sandbox.hpp"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "station/config.hpp"
#include "station/ptt_helper.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

constexpr int kNotFiltered = 77;

/// Runs `inside` in a process of its own, which it may ruin; its exit code.
int in_a_process(const std::function<int()>& inside) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::_exit(inside());
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Enters the sandbox; false where the kernel, or a build with sanitizers, filters nothing.
bool confined(const SandboxNeeds& needs = {}) {
    const auto lines = enter_sandbox(needs);
    if (!lines) {
        ::_exit(99);
    }
    for (const auto& line : *lines) {
        if (line.find("are not filtered") != std::string::npos) {
            return false;
        }
    }
    return true;
}

std::string content(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Also of a process that has ended and that nobody has waited for.
bool runs(pid_t pid) {
    const std::string stat = content("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name = stat.rfind(')');
    return name != std::string::npos && stat.substr(name).find(" Z ") == std::string::npos;
}

TEST(Sandbox, RefusesWhatAStationNeverDoes) {
    struct Attempt {
        const char* what;
        std::function<long()> call;  // < 0: refused
    };
    const std::vector<Attempt> attempts{
        {"execve",
         [] {
             char name[] = "/bin/true";
             char* const argv[] = {name, nullptr};
             return static_cast<long>(::execv(name, argv));
         }},
        {"fork", [] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
        {"a new user namespace", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
        {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
        {"process_vm_readv", [] { return ::syscall(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0); }},
        {"mount", [] { return static_cast<long>(::mount("none", "/proc/self", "tmpfs", 0, "")); }},
        {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
        {"keyctl", [] { return ::syscall(SYS_keyctl, 0, -3, 0); }},
        {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
        {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
        {"kexec_load", [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }},
        {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
        {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
        {"setns", [] { return ::syscall(SYS_setns, -1, 0); }},
        {"a signal to another process", [] { return static_cast<long>(::kill(::getppid(), 0)); }},
        {"a packet socket", [] { return static_cast<long>(::socket(AF_PACKET, SOCK_RAW, 0)); }},
        {"netfilter", [] { return static_cast<long>(::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)); }},
        {"the limits of another process",
         [] {
             rlimit limit{};
             return ::syscall(SYS_prlimit64, ::getppid(), RLIMIT_CORE, nullptr, &limit);
         }},
    };
    const test::TemporaryFolder folder;
    const int code = in_a_process([&] {
        std::ofstream said(folder.path("said"));
        if (!confined()) {
            return kNotFiltered;
        }
        int passed = 0;
        for (const Attempt& attempt : attempts) {
            errno = 0;
            if (attempt.call() >= 0 || errno != ENOSYS) {
                said << attempt.what << " (" << errno << ")\n" << std::flush;
                ++passed;
            }
        }
        return passed;
    });
    if (code == kNotFiltered) {
        GTEST_SKIP() << "system calls are not filtered here";
    }
    EXPECT_EQ(code, 0) << content(folder.path("said"));
}

TEST(Sandbox, LetsAStationAndItsDriversWork) {
    const test::TemporaryFolder folder;
    const int code = in_a_process([&] {
        (void)confined();
        int thread_ran = 0;
        std::thread([&] { thread_ran = 1; }).join();
        std::ofstream(folder.path("a")) << "written";
        const bool sockets = ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 && ::socket(AF_INET6, SOCK_DGRAM, 0) >= 0 &&
                             ::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0 &&
                             ::socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT) >= 0;
        rlimit core{};
        const bool no_core = ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
        return thread_ran == 1 && content(folder.path("a")) == "written" && sockets && no_core ? 0 : 1;
    });
    EXPECT_EQ(code, 0);
}

TEST(Sandbox, ThePttCommandRunsAllTheSame) {
    const test::TemporaryFolder folder;
    const int code = in_a_process([&] {
        auto helper = PttHelper::start("echo $PPID >" + folder.path("helper") + "; echo >>" + folder.path("ptt"));
        if (!helper) {
            return 1;
        }
        (void)confined();
        return (*helper)->run(true) && (*helper)->run(false) ? 0 : 2;
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(content(folder.path("ptt")), "tx\nrx\n");
    const auto helper = static_cast<pid_t>(std::strtol(content(folder.path("helper")).c_str(), nullptr, 10));
    ASSERT_GT(helper, 1);
    for (int i = 0; i < 600 && runs(helper); ++i) {  // it may be gone a moment later than its station
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_FALSE(runs(helper)) << "it outlives its station";
}

TEST(Sandbox, APttCommandThatFailsIsKnown) {
    auto helper = PttHelper::start("false");
    ASSERT_TRUE(helper.ok()) << helper.error().message;
    EXPECT_FALSE((*helper)->run(true));
    EXPECT_FALSE((*helper)->run(false));
}

TEST(Sandbox, OnlyRootChangesTheUser) {
    SandboxNeeds needs;
    needs.user = "no-such-user-here";
    const auto unknown = enter_sandbox(needs);  // refused before anything is given up
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

TEST(Sandbox, TheNeedsAreWhatTheConfigurationNames) {
    Config config;
    config.key_file = "/keys/a.key";
    config.ledger_file = "/books/a.ledger";
    config.control_socket = "/run/a/a.sock";
    config.device = "soapy:driver=meshair,air=/tmp/air.sock,station=coast";
    config.tun_enabled = false;
    const auto needs = sandbox_needs(config, "/records/a.cf32");
    EXPECT_FALSE(needs.net_admin);
    const auto names = [&](const std::string& path, bool write) {
        return std::any_of(needs.places.begin(), needs.places.end(),
                           [&](const auto& place) { return place.path == path && place.write == write; });
    };
    for (const char* written : {"/keys", "/books", "/run/a", "/records", "/books/a.ledger", "/tmp/air.sock"}) {
        EXPECT_TRUE(names(written, true)) << written;
    }
    EXPECT_TRUE(names("/keys/a.key", false));
    config.device = "air:/run/air#coast";
    config.tun_enabled = true;
    EXPECT_TRUE(sandbox_needs(config, "").net_admin);
    EXPECT_EQ(sandbox_needs(config, "").places.back().path, "/run/air");
}

}  // namespace
}  // namespace meshnet::station
