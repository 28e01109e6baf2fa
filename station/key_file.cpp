// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/key_file.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "host/unique_fd.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kMaxKeyBytes = 4096;

Status write_all(int fd, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return Error{host::code_of(errno), host::reason(errno)};
        }
        done += static_cast<std::size_t>(n);
    }
    return Ok{};
}

Result<LoadedKey> create(const std::string& path, RandomSource& random) {
    LoadedKey key{net::Identity::generate(random), true};
    std::string text = key.identity.to_text();
    auto written = write_secret_file(path, text, "key file");
    sodium_memzero(text.data(), text.size());
    if (!written) {
        return written.error();
    }
    return key;
}

}  // namespace

std::uint64_t SystemRandom::next_u64() {
    std::uint64_t number = 0;
    randombytes_buf(&number, sizeof number);
    return number;
}

Status init_random() {
    if (sodium_init() < 0) {
        return Error{ErrorCode::kUnavailable, "the system's random generator is not available"};
    }
    return Ok{};
}

Result<LoadedKey> load_or_create_key(const std::string& path, const std::string& ledger_file, RandomSource& random) {
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
        std::error_code ignored;
        if (std::filesystem::exists(ledger_file, ignored)) {
            return Error{ErrorCode::kNotFound,
                         "key file " + path + " is missing, but there is a ledger " + ledger_file +
                             " of a station: put its key file back, or move the ledger away to start as a new "
                             "station"};
        }
        return create(path, random);
    }
    auto text = read_secret_file(path, "key file");
    if (!text) {
        return text.error();
    }
    auto identity = net::Identity::from_text(*text);
    sodium_memzero(text->data(), text->size());
    if (!identity) {
        return Error{ErrorCode::kInvalidData,
                     "key file " + path + " is not usable: " + identity.error().message +
                         "; restore your copy (a new key would be a new station with an empty ledger)"};
    }
    return LoadedKey{std::move(identity).value(), false};
}

Result<std::string> read_secret_file(const std::string& path, const std::string& what) {
    const std::string file = what + " " + path;
    const host::UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd) {
        return host::system_error(file + " cannot be opened", errno);
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return Error{ErrorCode::kInvalidData, file + " is not a regular file"};
    }
    if ((info.st_mode & 077) != 0) {
        return Error{ErrorCode::kPermission, file + " can be read by others; run: chmod 600 " + path};
    }
    if (info.st_uid != ::geteuid() && info.st_uid != 0) {
        return Error{ErrorCode::kPermission,
                     file + " belongs to another user; run: chown " + std::to_string(::geteuid()) + " " + path};
    }
    std::string text(kMaxKeyBytes, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return host::system_error(file + " cannot be read", errno);
        }
        if (n == 0) {
            break;
        }
        size += static_cast<std::size_t>(n);
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' ')) {
        --size;
    }
    text.resize(size);
    return text;
}

Status write_secret_file(const std::string& path, const std::string& text, const std::string& what) {
    const std::string draft = path + ".new";
    ::unlink(draft.c_str());  // left by a start that was cut off
    const host::UniqueFd fd{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) {
        return host::system_error(what + " " + path + " cannot be made", errno);
    }
    auto written = write_all(fd.get(), text);
    if (written) {
        written = write_all(fd.get(), "\n");
    }
    if (written && ::fsync(fd.get()) != 0) {
        written = Error{host::code_of(errno), host::reason(errno)};
    }
    // link() and not rename(): what is there already, perhaps made by another program meanwhile, stays.
    if (written && ::link(draft.c_str(), path.c_str()) != 0) {
        written = Error{host::code_of(errno), host::reason(errno)};
    }
    ::unlink(draft.c_str());
    if (!written) {
        return Error{written.error().code, what + " " + path + " cannot be written: " + written.error().message};
    }
    const auto folder = std::filesystem::path(path).parent_path();
    const host::UniqueFd folder_fd{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder_fd) {
        ::fsync(folder_fd.get());
    }
    return Ok{};
}

}  // namespace meshnet::station
