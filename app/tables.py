"""Every room's tables, gathered for migrations and nothing else."""

from app.db import Base

metadata = Base.metadata
