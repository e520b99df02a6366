// Schemas as an OpenAPI 3.0 document has them, as far as ours uses them: whether a value is as its
// schema says, and values that are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace coldstart::testing {

using Json = nlohmann::ordered_json;

/// What a "$ref" leads to, or the schema itself.
inline const Json& resolve(const Json& document, const Json& schema) {
    const auto reference = schema.find("$ref");
    if (reference == schema.end())
        return schema;
    return document.at(Json::json_pointer(reference->get<std::string>().substr(1)));
}

inline bool has_type(const Json& value, const std::string& type) {
    if (type == "object")
        return value.is_object();
    if (type == "array")
        return value.is_array();
    if (type == "string")
        return value.is_string();
    if (type == "boolean")
        return value.is_boolean();
    if (type == "integer")
        return value.is_number_integer();
    throw std::logic_error("the schema has a type this validator does not know: " + type);
}

/// What is wrong with `value`; empty: nothing. `exhaustive` refuses members that are not described,
/// whatever the schema says of them.
inline std::string fault_of(const Json& document, const Json& described, const Json& value,
                            bool exhaustive = false, const std::string& where = "value") {
    const Json& schema = resolve(document, described);
    if (value.is_null() && schema.value("nullable", false))
        return {};
    if (const auto choices = schema.find("oneOf"); choices != schema.end()) {
        unsigned fits = 0;
        std::string faults;
        for (const Json& choice : *choices) {
            const std::string fault = fault_of(document, choice, value, exhaustive, where);
            fits += fault.empty() ? 1 : 0;
            faults += fault + "; ";
        }
        return fits == 1 ? "" : where + " fits " + std::to_string(fits) + " of oneOf: " + faults;
    }
    const auto type = schema.find("type");
    if (type == schema.end())
        return {};
    if (!has_type(value, type->get<std::string>()))
        return where + " is no " + type->get<std::string>() + ": " + value.dump();
    if (const auto words = schema.find("enum"); words != schema.end()) {
        bool known = false;
        for (const Json& word : *words)
            known = known || word == value;
        if (!known)
            return where + " is none of the enum: " + value.dump();
    }
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (schema.contains("minimum") && number < schema["minimum"].get<std::uint64_t>())
            return where + " is below the minimum";
        if (schema.contains("maximum") && number > schema["maximum"].get<std::uint64_t>())
            return where + " is above the maximum";
    } else if (value.is_number() && schema.contains("minimum")) {
        return where + " is negative";
    }
    if (value.is_array()) {
        if (value.size() < schema.value("minItems", std::size_t{0}) ||
            value.size() > schema.value("maxItems", value.size()))
            return where + " has a wrong number of items";
        for (const Json& item : value) {
            const std::string fault =
                fault_of(document, schema.at("items"), item, exhaustive, where + "[]");
            if (!fault.empty())
                return fault;
        }
    }
    if (!value.is_object())
        return {};
    for (const Json& name : schema.value("required", Json::array())) {
        if (!value.contains(name.get<std::string>()))
            return where + " lacks " + name.get<std::string>();
    }
    const Json properties = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json(true));
    for (const auto& [name, member] : value.items()) {
        const auto property = properties.find(name);
        if (property == properties.end()) {
            if (others == false || (exhaustive && !properties.empty()))
                return where + "." + name + " is not described";
            continue;
        }
        const std::string fault =
            fault_of(document, *property, member, exhaustive, where + "." + name);
        if (!fault.empty())
            return fault;
    }
    return {};
}

/// A value that is as the schema says: of objects every member, or those that have to be.
inline Json sample(const Json& document, const Json& described, bool full) {
    const Json& schema = resolve(document, described);
    if (schema.contains("example"))
        return schema["example"];
    if (schema.contains("oneOf"))
        return sample(document, schema["oneOf"][0], full);
    if (schema.contains("enum"))
        return schema["enum"].front();
    const std::string type = schema.value("type", "object");
    if (type == "string")
        return "text";
    if (type == "boolean")
        return true;
    if (type == "integer")
        return schema.value("minimum", std::uint64_t{1});
    if (type == "array") {
        Json items = Json::array();
        if (schema.value("maxItems", 1) > 0)
            items.push_back(sample(document, schema.at("items"), full));
        return items;
    }
    Json object = Json::object();
    const Json properties = schema.value("properties", Json::object());
    const Json required = schema.value("required", Json::array());
    for (const auto& [name, property] : properties.items()) {
        const bool needed = std::find(required.begin(), required.end(), name) != required.end();
        if (full || needed)
            object[name] = sample(document, property, full);
    }
    for (const auto& [name, property] : properties.items()) {
        if (object.size() >= schema.value("minProperties", std::size_t{0}))
            break;
        if (!object.contains(name))
            object[name] = sample(document, property, full);
    }
    return object;
}

} // namespace coldstart::testing
