// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/sigmf.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/names.hpp"
#include "host/file.hpp"

namespace meshnet::station {

namespace {

using Json = nlohmann::json;

constexpr unsigned kMostChannels = 1'000;                     // the specification's
constexpr std::uint64_t kMostTime = std::uint64_t{1} << 44U;  // samples; 200 days at 1 MHz, fits into ns
constexpr double kExact = 9'007'199'254'740'992.0;            // 2^53: up to here a double is a whole number exactly

Error invalid(const std::string& clause) {
    return {ErrorCode::kInvalidData, clause};
}

std::string hertz(double hz) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", hz);
    return text;
}

/// Fields of one object of the metadata. The first that has a wrong value is kept as the error.
class Fields {
public:
    Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

    [[nodiscard]] const Json* find(const char* name) const {
        const auto it = object_.find(name);
        return it == object_.end() || it->is_null() ? nullptr : &*it;
    }
    void whole(const char* name, std::uint64_t& out) {
        const Json* value = find(name);
        if (value == nullptr) {
            return;
        }
        if (value->is_number_unsigned()) {
            out = value->get<std::uint64_t>();
        } else if (const double v = value->is_number() ? value->get<double>() : -1.0;
                   v >= 0.0 && v <= kExact && v == std::floor(v)) {
            out = static_cast<std::uint64_t>(v);
        } else {
            fail(name, "is not a whole number from 0");
        }
    }
    void number(const char* name, std::optional<double>& out) {
        if (const Json* value = find(name)) {
            if (value->is_number() && std::isfinite(value->get<double>())) {
                out = value->get<double>();
            } else {
                fail(name, "is not a number");
            }
        }
    }
    void text(const char* name, std::string& out) {
        if (const Json* value = find(name)) {
            if (value->is_string()) {
                out = value->get<std::string>();
            } else {
                fail(name, "is not a text");
            }
        }
    }
    void flag(const char* name, bool& out) {
        if (const Json* value = find(name)) {
            if (value->is_boolean()) {
                out = value->get<bool>();
            } else {
                fail(name, "is not true or false");
            }
        }
    }
    void fail(const char* name, const std::string& what) {
        if (!error_) {
            error_ = invalid(where_ + name + " " + what);
        }
    }
    [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

private:
    const Json& object_;
    std::string where_;
    std::optional<Error> error_;
};

Status read_datatype(const Fields& global, SigmfDescription& out) {
    const Json* type = global.find("core:datatype");
    if (type == nullptr) {
        return invalid("core:datatype is missing, so the format of the samples is not known");
    }
    auto format = parse_sigmf_datatype(type->is_string() ? type->get<std::string>() : std::string(type->type_name()));
    if (!format) {
        return format.error();
    }
    out.format = *format;
    return Ok{};
}

Status check_version(Fields& global) {
    std::string version;
    global.text("core:version", version);
    std::string_view digits = version;
    digits.remove_prefix(digits.starts_with('v') ? 1 : 0);
    digits = digits.substr(0, digits.find('.'));
    if (!digits.empty() && digits != "0" && digits != "1") {
        return Error{ErrorCode::kUnsupported,
                     "core:version " + meshnet::quoted(version) + " is not known; known are versions 0 and 1"};
    }
    return Ok{};
}

/// An extension that is not optional may change what the samples are.
Status check_extensions(const Fields& global) {
    const Json* extensions = global.find("core:extensions");
    if (extensions == nullptr) {
        return Ok{};
    }
    const auto needed = [](const std::string& name) {
        return Error{ErrorCode::kUnsupported, "core:extensions: extension " + meshnet::quoted(name) +
                                                  " is needed to read the recording, and is not known here"};
    };
    if (extensions->is_object()) {  // SigMF 0.0.2: names with versions, none of them needed
        return Ok{};
    }
    if (!extensions->is_array()) {
        return invalid("core:extensions is not a list");
    }
    for (const Json& extension : *extensions) {
        if (!extension.is_object()) {
            return invalid("core:extensions holds something that is not an object");
        }
        Fields fields(extension, "core:extensions: ");
        std::string name;
        bool optional = false;
        fields.text("name", name);
        fields.flag("optional", optional);
        if (fields.error()) {
            return *fields.error();
        }
        if (!optional) {
            return needed(name);
        }
    }
    return Ok{};
}

Status read_global(const Json& object, SigmfKnown known, SigmfDescription& out) {
    Fields global(object, "");
    if (!known.format) {
        if (auto fine = read_datatype(global, out); !fine) {
            return fine;
        }
    }
    if (!known.rate) {
        global.number("core:sample_rate", out.rate_hz);
    }
    if (out.rate_hz && !(*out.rate_hz > 0.0)) {
        global.fail("core:sample_rate", hertz(*out.rate_hz) + " is not above 0");
    }
    std::uint64_t channels = 1;
    global.whole("core:num_channels", channels);
    if (channels < 1 || channels > kMostChannels) {
        global.fail("core:num_channels", "is not 1 to 1000");
    }
    out.channels = static_cast<unsigned>(std::min<std::uint64_t>(channels, kMostChannels));
    global.whole("core:offset", out.offset);
    global.whole("core:trailing_bytes", out.trailing_bytes);
    global.text("core:dataset", out.dataset);
    if (out.dataset.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos || out.dataset == "." ||
        out.dataset == "..") {
        global.fail("core:dataset",
                    meshnet::quoted(out.dataset) + " is not the name of a file in the folder of the metadata");
    }
    global.flag("core:metadata_only", out.metadata_only);
    global.text("core:sha512", out.sha512);
    std::transform(out.sha512.begin(), out.sha512.end(), out.sha512.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    auto version = check_version(global);
    if (global.error()) {
        return *global.error();
    }
    if (!version) {
        return version;
    }
    return check_extensions(global);
}

Status read_captures(const Json& list, SigmfDescription& out) {
    if (!list.is_array()) {
        return invalid("captures is not a list");
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string where = "captures[" + std::to_string(i) + "]";
        if (!list[i].is_object()) {
            return invalid(where + " is not an object");
        }
        Fields fields(list[i], where + " ");
        SigmfDescription::Capture capture;
        if (fields.find("core:sample_start") == nullptr) {
            fields.fail("core:sample_start", "is missing");
        }
        fields.whole("core:sample_start", capture.sample_start);
        fields.whole("core:header_bytes", capture.header_bytes);
        if (fields.find("core:global_index") != nullptr) {
            fields.whole("core:global_index", capture.global_index.emplace());
        }
        fields.number("core:frequency", capture.frequency_hz);
        if (!out.captures.empty() && capture.sample_start < out.captures.back().sample_start) {
            fields.fail("core:sample_start", "is below the one of the capture before");
        }
        if (fields.error()) {
            return *fields.error();
        }
        out.captures.push_back(capture);
    }
    return Ok{};
}

/// The time line: the radio's sample counter where the metadata gives it, else the count goes on.
class TimeLine {
public:
    /// Of a capture that begins `samples` after the former. Error: a clause.
    Result<std::uint64_t> next(const SigmfDescription::Capture& capture, std::uint64_t samples,
                               const std::string& where, std::vector<std::string>& warnings) {
        std::uint64_t gap = 0;
        const std::uint64_t expected = global_ + samples;
        if (!begun_) {
            global_ = capture.global_index.value_or(capture.sample_start);
        } else if (!capture.global_index || *capture.global_index == expected) {
            global_ = expected;
        } else {
            if (*capture.global_index > expected) {
                gap = *capture.global_index - expected;
            } else {
                warnings.push_back(where + " core:global_index goes back; its samples are taken to follow at once");
            }
            global_ = *capture.global_index;
        }
        begun_ = true;
        if (samples > kMostTime || gap > kMostTime || time_ + samples + gap > kMostTime) {
            return invalid(where + " core:global_index is more than " + std::to_string(kMostTime) +
                           " samples after the first");
        }
        time_ += samples + gap;
        return time_;
    }

private:
    bool begun_ = false;
    std::uint64_t global_ = 0, time_ = 0;
};

/// Captures whose sample_start counts from the first sample of the file, which is one of them.
std::vector<SigmfDescription::Capture> captures_from_zero(const SigmfDescription& d, bool absolute) {
    auto captures = d.captures;
    for (auto& c : captures) {
        c.sample_start -= absolute ? d.offset : 0;
    }
    if (captures.empty() || captures.front().sample_start > 0) {
        SigmfDescription::Capture first;
        if (!captures.empty() && captures.front().global_index &&
            *captures.front().global_index >= captures.front().sample_start) {
            first.global_index = *captures.front().global_index - captures.front().sample_start;
        }
        captures.insert(captures.begin(), first);
    }
    return captures;
}

}  // namespace

std::string sigmf_meta_path(const std::string& data_path) {
    static const std::string kData = ".sigmf-data";
    if (data_path.ends_with(kData)) {
        return data_path.substr(0, data_path.size() - kData.size()) + ".sigmf-meta";
    }
    return data_path + ".sigmf-meta";
}

Status write_sigmf_meta(const std::string& data_path, const SigmfMeta& meta) {
    nlohmann::ordered_json json;
    auto& global = json["global"];
    global["core:datatype"] = iq_format_row(meta.format).sigmf;
    global["core:sample_rate"] = meta.sample_rate_hz;
    global["core:version"] = "1.2.0";
    global["core:description"] = meta.description;
    global["core:recorder"] = "meshnet";
    const std::size_t slash = data_path.rfind('/');
    if (!data_path.ends_with(".sigmf-data")) {
        // A data file without the standard ending is a "non-conforming dataset": the metadata names it.
        global["core:dataset"] = data_path.substr(slash == std::string::npos ? 0 : slash + 1);
    }
    json["captures"] = nlohmann::ordered_json::array();
    for (const auto& c : meta.captures) {
        json["captures"].push_back({{"core:sample_start", c.sample_start}, {"core:global_index", c.global_index}});
    }
    json["annotations"] = nlohmann::ordered_json::array();
    for (const auto& a : meta.annotations) {
        json["annotations"].push_back(
            {{"core:sample_start", a.sample_start}, {"core:sample_count", a.sample_count}, {"core:label", a.label}});
    }
    const std::string text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    return host::replace_file(sigmf_meta_path(data_path), Bytes(text.begin(), text.end()));
}

Result<SigmfDescription> parse_sigmf(std::string_view text, SigmfKnown known) {
    const auto json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object() || !json.contains("global") || !json["global"].is_object()) {
        return invalid(json.is_discarded() ? "is not SigMF metadata: it is not JSON, or cut off"
                                           : "is not SigMF metadata: it has no object global");
    }
    SigmfDescription out;
    if (auto fine = read_global(json["global"], known, out); !fine) {
        return fine.error();
    }
    if (const auto captures = json.find("captures"); captures != json.end() && !captures->is_null()) {
        if (auto fine = read_captures(*captures, out); !fine) {
            return fine.error();
        }
    }
    return out;
}

Result<std::vector<std::string>> parse_sigmf_collection(std::string_view text) {
    const auto json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object() || !json.contains("collection") || !json["collection"].is_object()) {
        return invalid("is not a SigMF collection");
    }
    std::vector<std::string> names;
    const auto streams = json["collection"].find("core:streams");
    if (streams == json["collection"].end() || !streams->is_array()) {
        return names;
    }
    for (const Json& stream : *streams) {
        // {"name": ..., "hash": ...}, or the older [name, hash].
        const Json* name = nullptr;
        if (stream.is_object() && stream.contains("name")) {
            name = &stream["name"];
        } else if (stream.is_array() && !stream.empty()) {
            name = &stream[0];
        }
        if (name == nullptr || !name->is_string() ||
            name->get_ref<const std::string&>().find('/') != std::string::npos) {
            return invalid("core:streams holds something that names no recording of its folder");
        }
        names.push_back(name->get<std::string>());
    }
    return names;
}

Result<SigmfLayout> sigmf_layout(const SigmfDescription& d, std::size_t sample_bytes, std::uint64_t file_bytes) {
    SigmfLayout out;
    if (d.trailing_bytes > file_bytes) {
        return invalid("core:trailing_bytes " + std::to_string(d.trailing_bytes) + " is more than the " +
                       std::to_string(file_bytes) + " bytes of the data");
    }
    const std::uint64_t end = file_bytes - d.trailing_bytes;
    // Sample numbers are absolute and begin at core:offset; many programs count from the file's first sample instead.
    const bool absolute = d.captures.empty() || d.captures.front().sample_start >= d.offset;
    if (!absolute) {
        out.warnings.push_back(
            "captures[0] core:sample_start is below core:offset; taken as counted from the first sample of the file");
    }
    const auto captures = captures_from_zero(d, absolute);
    const std::size_t implied = captures.size() - d.captures.size();
    std::uint64_t position = 0;
    TimeLine time;
    for (std::size_t i = 0; i < captures.size(); ++i) {
        const auto& c = captures[i];
        const std::string where = "captures[" + std::to_string(i - std::min(i, implied)) + "]";
        const std::uint64_t before = i == 0 ? 0 : c.sample_start - captures[i - 1].sample_start;
        if (before > (end - position) / sample_bytes || c.header_bytes > end - position - before * sample_bytes) {
            if (i == 0) {
                return invalid(where + " core:header_bytes " + std::to_string(c.header_bytes) + " is more than the " +
                               std::to_string(end) + " bytes of the data");
            }
            out.warnings.push_back(where + " core:sample_start " +
                                   std::to_string(d.captures[i - implied].sample_start) +
                                   " is past the end of the data; ignored with all that follow");
            break;
        }
        auto at = time.next(c, before, where, out.warnings);
        if (!at) {
            return at.error();
        }
        if (i > 0) {
            out.stretches.back().bytes = before * sample_bytes;
            if (const auto& was = captures[i - 1].frequency_hz; was && c.frequency_hz && *was != *c.frequency_hz) {
                out.warnings.push_back(where + " core:frequency: from here the recording is at " +
                                       hertz(*c.frequency_hz) + " Hz, no longer at " + hertz(*was) + " Hz");
            }
        }
        position += before * sample_bytes + c.header_bytes;
        out.stretches.push_back({c.header_bytes, end - position, c.sample_start + d.offset, *at});
    }
    return out;
}

}  // namespace meshnet::station
