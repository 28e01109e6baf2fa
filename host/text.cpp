// SPDX-License-Identifier: MIT
#include "host/text.hpp"

#include <cerrno>
#include <system_error>

namespace meshnet::host {

std::string reason(int error) {
    return std::error_code(error, std::generic_category()).message();
}

ErrorCode code_of(int error) noexcept {
    switch (error) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            return ErrorCode::kNotFound;
        case EEXIST:
            return ErrorCode::kAlreadyExists;
        case EADDRINUSE:
        case EBUSY:
        case ETXTBSY:
            return ErrorCode::kInUse;
        case EACCES:
        case EPERM:
        case EROFS:
            return ErrorCode::kPermission;
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
        case ETIMEDOUT:
        case EAGAIN:
            return ErrorCode::kUnavailable;
        case EINVAL:
        case ENAMETOOLONG:
            return ErrorCode::kInvalidArgument;
        case EFBIG:
        case EMFILE:
        case ENFILE:
            return ErrorCode::kLimit;
        default:
            return ErrorCode::kSystem;
    }
}

Error system_error(const std::string& what, int error) {
    return {code_of(error), what + ": " + reason(error)};
}

}  // namespace meshnet::host
