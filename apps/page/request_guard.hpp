// SPDX-License-Identifier: GPL-3.0-or-later
// Who may see the page: a browser or program on this machine that has the token. No socket here.
//
// Other web pages that the operator has open can send requests to loopback, and a name of theirs can be made to point
// there (DNS rebinding): the Host header must be ours, an Origin the same, and the cookie is SameSite=Strict.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace meshnet::page {

/// What of a request decides.
struct RequestFacts {
    std::string_view method, path;
    std::size_t hosts = 0;             ///< number of Host headers
    std::string_view host;             ///< the first
    std::string_view origin;           ///< empty: none
    std::string_view cookie;           ///< the whole header
    std::string_view authorization;    ///< the whole header
    std::string_view query_token;      ///< "token" of the URL; empty: none
    std::string_view fetch_site = {};  ///< Sec-Fetch-Site; empty: none
};

enum class Verdict : std::uint8_t {
    kPass,
    kGiveCookie,   ///< a right token in the URL: set the cookie and send the browser to the path without it
    kWrongHost,    ///< 421
    kWrongOrigin,  ///< 403
    kNoToken,      ///< 401
    kMethod,       ///< 405: only GET and HEAD are known
};

class RequestGuard {
public:
    /// `token`: kTokenDigits hexadecimal digits. `open_metrics`: /metrics needs no token.
    RequestGuard(std::uint16_t port, std::string token, bool open_metrics);

    [[nodiscard]] Verdict judge(const RequestFacts& facts) const;
    /// The value of Set-Cookie.
    [[nodiscard]] std::string set_cookie() const;

private:
    [[nodiscard]] bool own_host(std::string_view host) const;
    [[nodiscard]] bool has_token(const RequestFacts& facts) const;
    [[nodiscard]] bool same_token(std::string_view token) const;

    std::string port_, token_, cookie_name_;
    bool open_metrics_;
};

/// The HTTP status and the line for a verdict that is neither kPass nor kGiveCookie.
struct Refusal {
    int status = 0;
    const char* line = "";
};
[[nodiscard]] Refusal refusal_of(Verdict verdict) noexcept;

}  // namespace meshnet::page
