// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/request_guard.hpp"

#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace meshnet::page {

namespace {

constexpr std::string_view kNames[] = {"127.0.0.1", "localhost", "[::1]"};

bool same_but_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
    });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

}  // namespace

RequestGuard::RequestGuard(std::uint16_t port, std::string token, bool open_metrics)
    : port_(std::to_string(port)),
      token_(std::move(token)),
      // Cookies know no ports: two stations' pages on one machine need two names.
      cookie_name_("meshnet_page_" + port_),
      open_metrics_(open_metrics) {}

bool RequestGuard::own_host(std::string_view host) const {
    const auto colon = host.rfind(':');
    if (colon == std::string_view::npos || host.substr(colon + 1) != port_) {
        return false;
    }
    return std::any_of(std::begin(kNames), std::end(kNames),
                       [&](std::string_view name) { return same_but_case(host.substr(0, colon), name); });
}

bool RequestGuard::same_token(std::string_view token) const {
    return token.size() == token_.size() && sodium_memcmp(token.data(), token_.data(), token_.size()) == 0;
}

bool RequestGuard::has_token(const RequestFacts& facts) const {
    constexpr std::string_view kBearer = "Bearer ";
    if (facts.authorization.starts_with(kBearer) && same_token(trimmed(facts.authorization.substr(kBearer.size())))) {
        return true;
    }
    std::string_view rest = facts.cookie;
    while (!rest.empty()) {
        const auto end = rest.find(';');
        const std::string_view one = trimmed(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        const auto equals = one.find('=');
        if (equals != std::string_view::npos && one.substr(0, equals) == cookie_name_ &&
            same_token(one.substr(equals + 1))) {
            return true;
        }
    }
    return false;
}

Verdict RequestGuard::judge(const RequestFacts& facts) const {
    if (facts.hosts != 1 || !own_host(facts.host)) {
        return Verdict::kWrongHost;
    }
    if (!facts.origin.empty() && facts.origin != "http://" + std::string(facts.host)) {
        return Verdict::kWrongOrigin;
    }
    if (facts.method != "GET" && facts.method != "HEAD") {
        return Verdict::kMethod;
    }
    if (has_token(facts)) {
        return Verdict::kPass;
    }
    if (!facts.query_token.empty() && same_token(facts.query_token)) {
        return Verdict::kGiveCookie;
    }
    // A page of somebody else may not even learn whether a station is here.
    const bool foreign = !facts.fetch_site.empty() && facts.fetch_site != "same-origin" && facts.fetch_site != "none";
    return open_metrics_ && !foreign && facts.path == "/metrics" ? Verdict::kPass : Verdict::kNoToken;
}

std::string RequestGuard::set_cookie() const {
    return cookie_name_ + "=" + token_ + "; Path=/; HttpOnly; SameSite=Strict";
}

Refusal refusal_of(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::kWrongHost:
            return {421,
                    "the Host header is not this page's: open http://127.0.0.1:PORT (ssh -L with the same PORT)\n"};
        case Verdict::kWrongOrigin:
            return {403, "requests of other web pages are refused\n"};
        case Verdict::kNoToken:
            return {401, "the token is missing: open the address that meshnet-page --show-url prints\n"};
        case Verdict::kMethod:
            return {405, "only GET and HEAD are known here\n"};
        case Verdict::kPass:
        case Verdict::kGiveCookie:
            break;
    }
    return {500, "\n"};
}

}  // namespace meshnet::page
