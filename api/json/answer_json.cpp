#include "api/json/answer_json.h"

#include "api/json/config_file.h"

namespace coldstart {
namespace {

std::string_view state_name(VmState state) {
    switch (state) {
    case VmState::running:
        return "Running";
    case VmState::paused:
        return "Paused";
    case VmState::not_started:
        break;
    }
    return "Not started";
}

/// Bytes that are no UTF-8 become U+FFFD: an answer is JSON whatever a path or a guest held.
std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Writer {
    std::string operator()(const NoContent&) const { return {}; }
    std::string operator()(const Refusal& refusal) const { return fault_json(refusal.message); }
    std::string operator()(const InstanceInfo& info) const {
        return dump({{"id", info.id},
                     {"state", state_name(info.state)},
                     {"vmm_version", api_version},
                     {"app_name", "Firecracker"}});
    }
    std::string operator()(const VersionInfo&) const {
        return dump({{"firecracker_version", api_version}});
    }
    std::string operator()(const VmConfigAnswer& answer) const {
        return dump(config_json(answer.config));
    }
    std::string operator()(const MachineConfig& machine) const {
        return dump(machine_json(machine));
    }
    std::string operator()(const BalloonConfig& balloon) const {
        return dump(balloon_json(balloon));
    }
    std::string operator()(const BalloonStatisticsAnswer& answer) const {
        Json json = {{"target_pages", answer.target_pages},
                     {"actual_pages", answer.actual_pages},
                     {"target_mib", answer.target_mib},
                     {"actual_mib", answer.actual_mib}};
        for (const auto& [name, value] : answer.from_guest)
            json[name] = value;
        return dump(json);
    }
    std::string operator()(const BalloonHintingAnswer& answer) const {
        return dump(
            {{"host_cmd", answer.host_command},
             {"guest_cmd", answer.guest_command ? Json(*answer.guest_command) : Json(nullptr)}});
    }
    std::string operator()(const JsonText& json) const { return json.text; }
    std::string operator()(const Document& document) const { return document.bytes; }
};

} // namespace

std::string answer_json(const Answer& answer) {
    return std::visit(Writer(), answer);
}

std::string fault_json(std::string_view message) {
    return dump({{"fault_message", message}});
}

} // namespace coldstart
