// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/site.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "apps/page/web.hpp"
#include "host/file.hpp"
#include "phy/modes.hpp"

namespace meshnet::page {

namespace {

constexpr int kMostListeners = 12;      // of /events: each holds a thread
constexpr std::size_t kMostRows = 300;  // of routes or flows in one event
constexpr auto kHeartbeat = std::chrono::seconds(5);

/// Kinds of the history that a chart may ask for.
constexpr std::array kKinds{"up",
                            "noise_floor_dbfs",
                            "transmit_share",
                            "frames_ok_per_s",
                            "frames_bad_per_s",
                            "data_bytes_per_s",
                            "exposure_msat",
                            "snr_db",
                            "loss",
                            "mode"};
constexpr std::int64_t kLongestSpan = 400LL * 86'400;

Json first_rows(const Json& rows) {
    if (!rows.is_array() || rows.size() <= kMostRows) {
        return rows;
    }
    Json out = Json::array();
    for (std::size_t i = 0; i < kMostRows; ++i) {
        out.push_back(rows[i]);
    }
    return out;
}

void answer_error(httplib::Response& response, int status, const std::string& line) {
    response.status = status;
    response.set_content(Json{{"error", line}}.dump(-1, ' ', false, Json::error_handler_t::replace),
                         "application/json");
}

void answer_json(httplib::Response& response, const Result<std::string>& text) {
    if (text) {
        response.set_content(*text, "application/json");
    } else {
        answer_error(response, 503, text.error().message);
    }
}

}  // namespace

std::string live_json(const StationState& state, std::chrono::system_clock::time_point now) {
    Json out;
    out["link"] = to_string(state.link);
    out["trouble"] = state.trouble;
    out["age_s"] = state.answered ? Json(std::chrono::duration<double>(now - *state.answered).count()) : Json(nullptr);
    out["status"] = state.status;
    out["neighbours"] = state.neighbours;
    out["routes"] = first_rows(state.routes);
    out["routes_known"] = state.routes.is_array() ? state.routes.size() : 0;
    out["flows"] = first_rows(state.flows);
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Site::Site(LoopbackServer& server, const RequestGuard& guard, StationWatch& watch, HistoryKeeper& keeper,
           std::string dygraphs)
    : server_(server), guard_(guard), watch_(watch), keeper_(keeper), dygraphs_(std::move(dygraphs)) {
    server_.set_default_headers({
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; "
         // dygraphs writes style attributes; the page itself writes text only.
         "style-src-attr 'unsafe-inline'; img-src 'self'; connect-src 'self'; "
         "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    });
    server_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
        return admit(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                        : httplib::Server::HandlerResponse::Handled;
    });
    add_files();
    add_data();
}

bool Site::admit(const httplib::Request& request, httplib::Response& response) const {
    const std::string host = request.get_header_value("Host"), origin = request.get_header_value("Origin"),
                      cookie = request.get_header_value("Cookie"),
                      authorization = request.get_header_value("Authorization"),
                      token = request.get_param_value("token"), site = request.get_header_value("Sec-Fetch-Site");
    const Verdict verdict = guard_.judge({request.method, request.path, request.get_header_value_count("Host"), host,
                                          origin, cookie, authorization, token, site});
    if (verdict == Verdict::kPass) {
        return true;
    }
    if (verdict == Verdict::kGiveCookie) {
        response.set_header("Set-Cookie", guard_.set_cookie());
        response.set_redirect("/", 303);
        return false;
    }
    const Refusal refusal = refusal_of(verdict);
    response.status = refusal.status;
    response.set_content(refusal.line, "text/plain");
    if (verdict == Verdict::kMethod) {
        response.set_header("Allow", "GET, HEAD");
    }
    return false;
}

void Site::add_files() {
    for (const WebFile& file : web_files()) {
        server_.Get(std::string(file.path), [&file](const httplib::Request&, httplib::Response& response) {
            response.set_content(file.text.data(), file.text.size(), std::string(file.type));
        });
    }
    for (const auto& [name, type] :
         {std::pair{"dygraph.min.js", "text/javascript"}, std::pair{"dygraph.min.css", "text/css"}}) {
        server_.Get(std::string("/dygraphs/") + name,
                    [path = dygraphs_ + "/" + name, type = type](const httplib::Request&, httplib::Response& response) {
                        const auto text = host::read_file(path, std::size_t{4} << 20U);
                        if (text) {
                            response.set_content(*text, type);
                            response.set_header("Cache-Control", "private, max-age=3600");
                        } else {
                            answer_error(response, 404, path + " is not there: install libjs-dygraphs");
                        }
                    });
    }
}

void Site::events(httplib::Response& response) {
    if (++listeners_ > kMostListeners) {
        --listeners_;
        answer_error(response, 503, "this page is open too often");
        return;
    }
    const auto known = std::make_shared<std::uint64_t>(0);
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, known](std::size_t, httplib::DataSink& sink) {
            const auto state = watch_.next(*known, kHeartbeat);
            if (server_.stopping()) {
                return false;
            }
            *known = state->number;
            const std::string text = "data: " + live_json(*state, std::chrono::system_clock::now()) + "\n\n";
            return sink.write(text.data(), text.size());
        },
        [this](bool) { --listeners_; });
}

void Site::add_data() {
    server_.Get("/events", [this](const httplib::Request&, httplib::Response& response) { events(response); });
    server_.Get("/signal", [this](const httplib::Request&, httplib::Response& response) {
        answer_json(response, watch_.signal());
    });
    server_.Get("/money", [this](const httplib::Request&, httplib::Response& response) {
        response.set_content(keeper_.money().dump(-1, ' ', false, Json::error_handler_t::replace), "application/json");
    });
    server_.Get("/modes", [](const httplib::Request&, httplib::Response& response) {
        Json names = Json::array();
        for (const auto& mode : phy::modes()) {
            names.push_back(mode.name);
        }
        response.set_content(names.dump(), "application/json");
    });
    server_.Get("/history", [this](const httplib::Request& request, httplib::Response& response) {
        const std::string kind = request.get_param_value("kind"), span = request.get_param_value("span");
        std::int64_t seconds = 0;
        const auto [end, error] = std::from_chars(span.data(), span.data() + span.size(), seconds);
        if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
            answer_error(response, 400, "unknown kind of history");
        } else if (error != std::errc() || end != span.data() + span.size() || seconds < 60 || seconds > kLongestSpan) {
            answer_error(response, 400, "span is a number of seconds, 60 to 34560000");
        } else {
            answer_json(response, keeper_.chart(kind, seconds));
        }
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
        response.set_content(metrics_of(*watch_.state(), keeper_.facts(), std::chrono::system_clock::now()),
                             "text/plain; version=0.0.4; charset=utf-8");
    });
}

}  // namespace meshnet::page
