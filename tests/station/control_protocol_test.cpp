// SPDX-License-Identifier: MIT
#include "station/control/control_protocol.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace meshnet::station {
namespace {

using Command = ControlRequest::Command;

TEST(ControlRequest, EveryCommandIsUnderstood) {
    for (const View& view : views()) {
        const auto request = parse_control_request("{\"cmd\":\"" + std::string(view.name) + "\"}");
        ASSERT_TRUE(request.ok()) << view.name << request.error().message;
        EXPECT_EQ(request->command, Command::kView);
        EXPECT_EQ(request->view, &view);
    }
    for (const auto& [name, command] : {std::pair{"price", Command::kPrice},
                                        {"watch", Command::kWatch},
                                        {"attach", Command::kAttach},
                                        {"stop", Command::kStop}}) {
        const auto request = parse_control_request(std::string("{\"cmd\":\"") + name + "\"}");
        ASSERT_TRUE(request.ok()) << name << request.error().message;
        EXPECT_EQ(request->command, command);
    }
}

TEST(ControlRequest, FieldsArrive) {
    EXPECT_EQ(parse_control_request(R"({"cmd":"price","msat_per_mib":500})")->price_msat_per_mib, 500U);
    EXPECT_FALSE(parse_control_request(R"({"cmd":"price"})")->price_msat_per_mib.has_value());
    EXPECT_EQ(parse_control_request(R"({"cmd":"ledger","limit":7})")->limit, 7U);
    EXPECT_EQ(parse_control_request(R"({"cmd":"watch","interval_ms":100})")->interval_ms, 100U);
    EXPECT_EQ(parse_control_request(R"({"cmd":"inhibit","on":true})")->command, Command::kInhibit);
    EXPECT_TRUE(parse_control_request(R"({"cmd":"inhibit","on":true})")->inhibit);
    EXPECT_FALSE(parse_control_request(R"({"cmd":"inhibit","on":false})")->inhibit);
    EXPECT_FALSE(parse_control_request(R"({"cmd":"inhibit"})").ok());
    EXPECT_FALSE(parse_control_request(R"({"cmd":"inhibit","on":1})").ok());
    const std::string packet(120, '6');
    EXPECT_EQ(parse_control_request(R"({"cmd":"packet","data":")" + packet + "\"}")->packet, Bytes(60, 0x66));
}

TEST(ControlRequest, RefusalsSayWhatWouldBeRight) {
    const auto why = [](std::string_view line) {
        const auto r = parse_control_request(line);
        return r ? std::string("accepted") : r.error().message;
    };
    EXPECT_EQ(why(""), "a request is one JSON object a line, for example {\"cmd\": \"status\"}");
    EXPECT_EQ(why("[1,2]"), "a request is one JSON object a line, for example {\"cmd\": \"status\"}");
    EXPECT_EQ(why("{\"cmd\":1}"), "a request needs \"cmd\", for example {\"cmd\": \"status\"}");
    std::string known;
    for (const View& view : views()) {
        known += std::string(view.name) + " ";
    }
    EXPECT_EQ(why(R"({"cmd":"statsu"})"), "unknown command 'statsu'; did you mean 'status'? known are " + known +
                                              "price watch attach packet inhibit publish stop payment");
    EXPECT_EQ(why(R"({"cmd":"status","x":1})"), "\"status\" has no field \"x\"; it has none");
    EXPECT_EQ(why(R"({"cmd":"price","msat":1})"), "\"price\" has no field \"msat\"; it has \"msat_per_mib\"");
    EXPECT_EQ(why(R"({"cmd":"price","msat_per_mib":-1})"),
              "\"msat_per_mib\" must be a whole number, 0 to 1000000000000");
    EXPECT_EQ(why(R"({"cmd":"price","msat_per_mib":1.5})"),
              "\"msat_per_mib\" must be a whole number, 0 to 1000000000000");
    EXPECT_EQ(why(R"({"cmd":"ledger","limit":1001})"), "\"limit\" must be a whole number, 0 to 1000");
    EXPECT_EQ(why(R"({"cmd":"watch","interval_ms":99})"), "\"interval_ms\" must be a whole number, 100 to 60000");
    EXPECT_EQ(why(R"({"cmd":"packet"})"), "\"packet\" needs \"data\"");
    EXPECT_EQ(why(R"({"cmd":"packet","data":"60"})"),
              "\"data\" must be an IPv6 packet of 40 to 2048 bytes in hexadecimal");
    EXPECT_EQ(why(std::string(kMaxControlLine + 1, ' ')), "a request is at most 16384 bytes");
    EXPECT_NE(why(std::string(8'000, '[')), "accepted");
}

TEST(ControlAnswer, IsOneLineOfJsonWhateverIsInIt) {
    const std::string line = control_error({ErrorCode::kSystem, "a \"quote\", a \n newline and \xff no UTF-8"});
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto json = nlohmann::json::parse(line);
    EXPECT_FALSE(json["ok"].get<bool>());
    EXPECT_EQ(nlohmann::json::parse(control_result("{\"a\":1}"))["result"]["a"], 1);
    EXPECT_EQ(control_packet(Bytes{0x60, 0x0a}), "{\"packet\":\"600a\"}\n");
}

}  // namespace
}  // namespace meshnet::station
