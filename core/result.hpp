// SPDX-License-Identifier: MIT
// A value or the reason there is none. g++ 12 has no std::expected; this is the part of it we use.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace meshnet {

/// A reason in words for a person: what is wrong and, where it can be known, what would be right.
struct Error {
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
