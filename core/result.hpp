// SPDX-License-Identifier: MIT
// A value or the reason there is none. g++ 12 has no std::expected; this is the part of it we use.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace meshnet {

/// What kind of failure, for programs: a caller decides by the code and shows the sentence.
enum class ErrorCode : std::uint8_t {
    kInvalidArgument,  ///< an option, key or parameter has an impossible value; names what is known or the range
    kInvalidData,      ///< bytes from outside (file, socket, radio) are not what their format says
    kNotFound,         ///< no such file, device, name or entry
    kAlreadyExists,    ///< would replace something that is kept
    kInUse,            ///< another program or client has it; may be free later
    kPermission,       ///< the operating system or a policy forbids it
    kUnsupported,      ///< well formed, but this build, version or device cannot do it
    kLimit,            ///< larger, more or longer than is allowed
    kUnavailable,      ///< the other side is gone, silent or not ready; trying again is reasonable
    kSystem,           ///< any other failure of the operating system (disk full, I/O error)
};
[[nodiscard]] constexpr const char* to_string(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::kInvalidArgument:
            return "invalid_argument";
        case ErrorCode::kInvalidData:
            return "invalid_data";
        case ErrorCode::kNotFound:
            return "not_found";
        case ErrorCode::kAlreadyExists:
            return "already_exists";
        case ErrorCode::kInUse:
            return "in_use";
        case ErrorCode::kPermission:
            return "permission";
        case ErrorCode::kUnsupported:
            return "unsupported";
        case ErrorCode::kLimit:
            return "limit";
        case ErrorCode::kUnavailable:
            return "unavailable";
        case ErrorCode::kSystem:
            return "system";
    }
    return "system";
}

/// Why there is no value: a code for programs, a sentence for a person that says what is wrong and, where it can be
/// known, what would be right.
struct Error {
    Error(ErrorCode error_code, std::string sentence) : code(error_code), message(std::move(sentence)) {}

    ErrorCode code;
    std::string message;
};

/// Either a `T` or an `E`. Reading the side that is not there is a broken precondition (assert).
template <class T, class E = Error>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
    Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    [[nodiscard]] T& value() & {
        assert(ok());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] const T& value() const& {
        assert(ok());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] T&& value() && {
        assert(ok());
        return std::move(*std::get_if<0>(&state_));
    }
    [[nodiscard]] const E& error() const {
        assert(!ok());
        return *std::get_if<1>(&state_);
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    std::variant<T, E> state_;
};

/// Success without a value, or the reason of the failure.
struct Ok {};
using Status = Result<Ok, Error>;

}  // namespace meshnet
