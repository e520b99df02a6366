"""Black-box tests of the REST API: tables of requests, and guests that are driven by it.

Every title begins with "api: ": `tests/integration/run --only api:` runs these and nothing else."""

from api import vm_config  # noqa: F401
from api import machine_tables  # noqa: F401
from api import drive_tables  # noqa: F401
from api import device_tables  # noqa: F401
from api import net_tables  # noqa: F401
from api import service_tables  # noqa: F401
from api import http_tests  # noqa: F401
from api import command_line  # noqa: F401
from api import config_file  # noqa: F401
from api import running  # noqa: F401
from api import serial  # noqa: F401
from api import logs  # noqa: F401
from api import clients  # noqa: F401
from api import extensions  # noqa: F401
