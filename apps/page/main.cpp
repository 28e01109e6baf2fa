// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-page: the status page of a running station. A process of its own: whatever a browser does to it, the station
// goes on.
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "apps/page/options.hpp"
#include "apps/page/site.hpp"
#include "apps/page/token_file.hpp"

namespace meshnet::page {

namespace {

int fail(const Error& error) {
    std::fprintf(stderr, "meshnet-page: %s\n", error.message.c_str());
    return error.code == ErrorCode::kInvalidArgument ? 2 : 1;
}

/// Started by root it becomes whoever the station runs as: the owner of the control socket's folder or of the socket.
Status leave_root(const std::string& socket) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct stat info {};
    if (::geteuid() != 0 || ::stat(socket.c_str(), &info) != 0) {
        return Ok{};
    }
    if (info.st_uid == 0) {
        spdlog::warn("the station runs as root, so this page does too; give it a user: [station] user");
        return Ok{};
    }
    if (::setresgid(info.st_gid, info.st_gid, info.st_gid) != 0 ||
        ::setresuid(info.st_uid, info.st_uid, info.st_uid) != 0) {
        return Error{ErrorCode::kPermission, "cannot become the user of the station (owner of " + socket + ")"};
    }
    return Ok{};
}

/// Waits for SIGTERM or SIGINT on a thread and stops the server.
class StopAtSignal {
public:
    explicit StopAtSignal(LoopbackServer& server) : server_(server) {
        sigset_t set = signals();
        ::pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread is made
    }
    void watch() {
        thread_ = std::thread([this] {
            const sigset_t set = signals();
            const timespec slice{0, 200'000'000};
            bool stop = false;
            while (!ended_) {
                stop = ::sigtimedwait(&set, nullptr, &slice) > 0 || stop;
                if (stop) {
                    server_.stop_all();
                }
            }
        });
    }
    ~StopAtSignal() {
        ended_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
    }

private:
    static sigset_t signals() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        return set;
    }
    LoopbackServer& server_;
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

std::string url_of(std::uint16_t port, const std::string& token) {
    return "http://127.0.0.1:" + std::to_string(port) + "/?token=" + token;
}

int serve(const Options& options, const Places& places) {
    if (auto left = leave_root(places.socket); !left) {
        return fail(left.error());
    }
    const auto token = load_or_make_token(places.token_file);
    if (!token) {
        return fail(token.error());
    }
    if (options.show_url) {
        std::printf("%s\n", url_of(options.port, *token).c_str());
        return 0;
    }
    LoopbackServer server;
    StopAtSignal stop(server);
    const auto port = server.bind(options.port);
    if (!port) {
        return fail(port.error());
    }
    std::optional<History> history;
    if (!places.history_file.empty()) {
        auto opened = History::open(places.history_file);
        if (!opened) {
            return fail(opened.error());
        }
        history = std::move(opened).value();
    }
    StationWatch watch({.target = {places.socket, ""}});
    HistoryKeeper keeper(watch, std::move(history), places.history_file, places.ledger_file);
    const RequestGuard guard(*port, *token, options.open_metrics);
    const Site site(server, guard, watch, keeper, options.dygraphs);
    std::printf("%s\n", url_of(*port, *token).c_str());
    std::fflush(stdout);
    if (const auto first = watch.next(0, std::chrono::seconds(5)); first->link != StationState::Link::kAnswers) {
        spdlog::warn("{}; the page says so until it is there",
                     first->trouble.empty() ? "the daemon has not answered yet" : first->trouble);
    }
    stop.watch();
    server.serve();
    return 0;
}

int run(int argc, char** argv) {
    Options options;
    if (const auto code = read_options(argc, argv, options)) {
        return *code;
    }
    const auto places = places_of(options);
    if (!places) {
        std::fprintf(stderr, "meshnet-page: %s\n", places.error().message.c_str());
        return 2;
    }
    return serve(options, *places);
}

}  // namespace

}  // namespace meshnet::page

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    ::umask(077);
    auto log = std::make_shared<spdlog::logger>("meshnet-page", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    log->set_pattern("%n: %v");
    log->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(std::move(log));
    try {
        return meshnet::page::run(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "meshnet-page: %s\n", e.what());
        return 1;
    }
}
