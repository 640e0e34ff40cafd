"""What must be true of a running platform, looked at: `examine` gives a finding per check, in words."""

from c2m.doctor.checkup import examine
from c2m.doctor.finding import Finding

__all__ = ["Finding", "examine", "pages", "schedules"]
