// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-air: the simulated air as a program. Stations connect to its socket and receive each other in real time.
#include <poll.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "sim/air_config.hpp"
#include "sim/air_socket.hpp"
#include "sim/pacer.hpp"

namespace {

using namespace meshnet;

volatile std::sig_atomic_t stop_requested = 0;

extern "C" void on_stop_signal(int) {
    stop_requested = 1;
}

Instant wall_clock() {
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

/// CPU time of this process, seconds.
double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print_line(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

struct Options {
    std::string config, socket, stats;
    double speed = 1.0;
    double block_us = 1000.0;
};

/// One line of JSON; names are printed as JSON strings.
std::string json_string(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (code < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(code));
            out += escaped;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string stats_json(const sim::AirServer& server, double wall_s, double cpu_s, Duration slipped) {
    const double air_s = to_seconds(server.air().now().time_since_epoch());
    char text[512];
    std::snprintf(text, sizeof text,
                  "{\"air_seconds\": %.6f, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f, \"busy_fraction\": %.6f, "
                  "\"times_real_time_possible\": %.3f, \"slipped_seconds\": %.6f, \"stations\": [",
                  air_s, wall_s, cpu_s, wall_s > 0.0 ? cpu_s / wall_s : 0.0, cpu_s > 0.0 ? air_s / cpu_s : 0.0,
                  to_seconds(slipped));
    std::string out = text;
    const auto& config = server.air().config();
    for (std::size_t s = 0; s < config.stations.size(); ++s) {
        const sim::AirStats& air = server.air().stats(s);
        const auto& link = server.stats(s);
        out += std::string(s == 0 ? "" : ", ") + "{\"name\": " + json_string(config.stations[s].name);
        std::snprintf(text, sizeof text,
                      ", \"connected\": %s, \"connections\": %llu, \"samples\": %llu, \"samples_lost\": %llu, "
                      "\"bursts\": %llu, \"bursts_late\": %llu, \"bursts_refused\": %llu, \"tx_seconds\": %.6f, "
                      "\"samples_clipped\": %llu}",
                      link.connected ? "true" : "false", static_cast<unsigned long long>(link.connections),
                      static_cast<unsigned long long>(air.samples), static_cast<unsigned long long>(link.samples_lost),
                      static_cast<unsigned long long>(air.bursts), static_cast<unsigned long long>(air.bursts_late),
                      static_cast<unsigned long long>(air.bursts_refused),
                      static_cast<double>(air.samples_sent) / config.sample_rate_hz,
                      static_cast<unsigned long long>(air.samples_clipped));
        out += text;
    }
    return out + "]}\n";
}

/// Written to another file that is then renamed, so that a reader never sees an incomplete one. False if that failed.
bool write_stats(const std::string& path, const std::string& json) {
    const std::string draft = path + ".new";
    {
        std::ofstream out(draft, std::ios::trunc);
        out << json;
        out.flush();
        if (!out) {
            return false;
        }
    }
    return std::rename(draft.c_str(), path.c_str()) == 0;
}

void describe(const sim::Air& air) {
    const auto& stations = air.config().stations;
    for (std::size_t a = 0; a < stations.size(); ++a) {
        for (std::size_t b = 0; b < stations.size(); ++b) {
            const sim::AirBudget budget = a == b ? sim::AirBudget{} : air.budget(a, b);
            if (budget.heard) {
                char line[256];
                std::snprintf(
                    line, sizeof line, "link: %s -> %s: %.1f km, %.1f us, %.1f dBm, SNR %.1f dB, carrier %+.0f Hz",
                    stations[a].name.c_str(), stations[b].name.c_str(), budget.distance_m * 1e-3,
                    to_seconds(budget.delay) * 1e6, budget.received_dbm, budget.snr_db, budget.carrier_offset_hz);
                print_line(line);
            }
        }
    }
}

/// One line for each direction that begins or ends to be heard as stations move.
class RangeLog {
public:
    explicit RangeLog(const sim::Air& air) : heard_(heard_now(air)) {}
    void update(const sim::Air& air) {
        const auto& stations = air.config().stations;
        auto heard = heard_now(air);
        for (std::size_t i = 0; i < heard.size(); ++i) {
            if (heard[i] != heard_[i]) {
                const std::size_t a = i / stations.size();
                const std::size_t b = i % stations.size();
                char line[256];
                std::snprintf(line, sizeof line, "range: %s -> %s: %s at %.1f km", stations[a].name.c_str(),
                              stations[b].name.c_str(), heard[i] ? "heard again" : "out of range",
                              air.budget(a, b).distance_m * 1e-3);
                print_line(line);
            }
        }
        heard_ = std::move(heard);
    }

private:
    static std::vector<bool> heard_now(const sim::Air& air) {
        const std::size_t n = air.config().stations.size();
        std::vector<bool> heard(n * n);
        for (std::size_t i = 0; i < heard.size(); ++i) {
            heard[i] = i / n != i % n && air.budget(i / n, i % n).heard;
        }
        return heard;
    }
    std::vector<bool> heard_;
};

int run(const Options& options) {
    auto file = sim::load_air_config(options.config);
    if (!file) {
        std::fprintf(stderr, "meshnet-air: %s\n", file.error().message.c_str());
        return 2;
    }
    const std::string socket = options.socket.empty() ? file->socket : options.socket;
    if (socket.empty()) {
        std::fprintf(stderr, "meshnet-air: no socket to listen at; give --socket PATH or socket = \"PATH\" in %s\n",
                     options.config.c_str());
        return 2;
    }
    auto listening = sim::AirServer::listen({socket, 200ms}, file->air);
    if (!listening) {
        std::fprintf(stderr, "meshnet-air: %s\n", listening.error().message.c_str());
        return 1;
    }
    sim::AirServer server = std::move(*listening);
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    describe(server.air());
    RangeLog range(server.air());
    print_line("listening: " + socket);

    const Duration block = from_seconds(options.block_us * 1e-6);
    const Instant start = wall_clock();
    sim::Pacer pacer(start, options.speed, block, 100ms);
    Duration slipped_before{};
    Instant next_stats = start + 1s;
    const auto report = [&] {
        const double wall_s = to_seconds(wall_clock() - start);
        return options.stats.empty() ||
               write_stats(options.stats, stats_json(server, wall_s, cpu_seconds(), pacer.slipped()));
    };
    while (stop_requested == 0) {
        server.exchange();
        while (pacer.due(wall_clock()) && stop_requested == 0) {
            server.advance(block);
            server.exchange();
        }
        if (pacer.slipped() > slipped_before) {
            print_line("late: skipped " + std::to_string((pacer.slipped() - slipped_before).count() / 1'000'000) +
                       " ms of real time; the machine is too slow or was held up");
            slipped_before = pacer.slipped();
        }
        while (const auto event = server.poll_event()) {
            print_line(*event);
        }
        const Instant now = wall_clock();
        if (now >= next_stats) {
            next_stats = now + 1s;
            range.update(server.air());
            if (!report()) {
                std::fprintf(stderr, "meshnet-air: cannot write %s\n", options.stats.c_str());
                return 1;
            }
        }
        const std::int64_t wait_ns = std::max<std::int64_t>(0, (pacer.next() - now).count());
        const timespec wait{static_cast<time_t>(wait_ns / 1'000'000'000), static_cast<long>(wait_ns % 1'000'000'000)};
        pollfd clients{server.fd(), POLLIN, 0};
        (void)::ppoll(&clients, 1, &wait, nullptr);
    }
    if (!report()) {
        std::fprintf(stderr, "meshnet-air: cannot write %s\n", options.stats.c_str());
        return 1;
    }
    char line[160];
    const double air_s = to_seconds(server.air().now().time_since_epoch());
    const double cpu_s = cpu_seconds();
    std::snprintf(line, sizeof line, "stopped: %.1f s of air in %.2f s of CPU (%.1f x real time)", air_s, cpu_s,
                  cpu_s > 0.0 ? air_s / cpu_s : 0.0);
    print_line(line);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"meshnet-air: stations connect to its socket and receive each other through simulated radio channels"};
    app.add_option("--config", options.config, "the air as a TOML file")->required();
    app.add_option("--socket", options.socket, "path of the socket to listen at");
    app.add_option("--speed", options.speed, "simulated seconds in a second")->check(CLI::Range(1e-3, 1e3));
    app.add_option("--block", options.block_us, "samples are sent in blocks of so many microseconds")
        ->check(CLI::Range(100.0, 100'000.0));
    app.add_option("--stats", options.stats, "write statistics as JSON to this file, every second and at the end");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "meshnet-air: %s\n", error.what());
        return 1;
    }
}
