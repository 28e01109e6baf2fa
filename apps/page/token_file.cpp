// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/token_file.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/bytes.hpp"
#include "host/file.hpp"
#include "host/text.hpp"
#include "host/unique_fd.hpp"

namespace meshnet::page {

namespace {

Result<std::string> read_token(const std::string& path, const host::UniqueFd& fd) {
    const std::string what = "token file " + path;
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) {
        return host::system_error(what, errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorCode::kInvalidData, what + " is not a plain file"};
    }
    if (info.st_uid != ::geteuid()) {
        return Error{ErrorCode::kPermission, what + " belongs to another user; name another with --token-file"};
    }
    if ((info.st_mode & 077) != 0) {
        return Error{ErrorCode::kPermission, what + " can be read by others; run: chmod 600 " + path};
    }
    std::array<std::uint8_t, kTokenDigits + 2> bytes{};
    const auto n = host::read_full(fd.get(), bytes, what);
    if (!n) {
        return n.error();
    }
    std::string token(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*n));
    if (!token.empty() && token.back() == '\n') {
        token.pop_back();
    }
    const bool digits = std::all_of(token.begin(), token.end(),
                                    [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (token.size() != kTokenDigits || !digits) {
        return Error{ErrorCode::kInvalidData,
                     what + " holds no token of this program; remove it, and the next start makes one"};
    }
    return token;
}

Result<std::string> make_token(const std::string& path, const host::UniqueFd& fd) {
    std::array<std::uint8_t, kTokenDigits / 2> random{};
    randombytes_buf(random.data(), random.size());
    std::string token = to_hex(random);
    const std::string line = token + "\n";
    const auto written = host::write_all(
        fd.get(), ByteView(reinterpret_cast<const std::uint8_t*>(line.data()), line.size()), "token file " + path);
    if (!written) {
        ::unlink(path.c_str());
        return written.error();
    }
    return token;
}

}  // namespace

Result<std::string> load_or_make_token(const std::string& path) {
    if (sodium_init() < 0) {
        return Error{ErrorCode::kSystem, "no random numbers"};
    }
    const host::UniqueFd made{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (made) {
        return make_token(path, made);
    }
    if (errno != EEXIST) {
        return Error{host::code_of(errno), "token file " + path + " cannot be written: " + host::reason(errno) +
                                               "; name another with --token-file"};
    }
    const host::UniqueFd there{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!there) {
        return Error{host::code_of(errno), "token file " + path + " cannot be read: " + host::reason(errno)};
    }
    return read_token(path, there);
}

}  // namespace meshnet::page
