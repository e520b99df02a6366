#include "vmm/cli/doctor.h"
#include "vmm/cli/front.h"
#include "vmm/cli/run.h"

#include <vector>

int main(int argc, char** argv) {
    using namespace coldstart;
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    const CommandHandlers handlers{
        .run = run_command,
        .doctor =
            [](const DoctorCommand& command) { return print_report(examine_host(), command.json); },
    };
    return front_main(arguments, handlers);
}
