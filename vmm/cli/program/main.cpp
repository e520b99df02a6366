#include "vmm/cli/bench/bench.h"
#include "vmm/cli/doctor.h"
#include "vmm/cli/firecracker.h"
#include "vmm/cli/front.h"
#include "vmm/cli/run.h"

#include <vector>

int main(int argc, char** argv) {
    using namespace coldstart;
    std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    const std::string_view path = argc > 0 ? argv[0] : "";
    // Linked under that name it is what programs that look for Firecracker expect.
    if (path.substr(path.rfind('/') + 1) == "firecracker")
        arguments.insert(arguments.begin(), "firecracker");
    const CommandHandlers handlers{
        .run = run_command,
        .serve = serve_command,
        .firecracker = firecracker_command,
        .doctor =
            [](const DoctorCommand& command) { return print_report(examine_host(), command.json); },
        .bench = run_bench,
    };
    return front_main(arguments, handlers);
}
