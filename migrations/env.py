"""How Alembic reaches the database: through our own engine, so that migrations run as the application does."""

from alembic import context

from models import metadata
from wiring.database import make_engine


def run() -> None:
    """Run the migrations on the database that the caller named."""
    engine = make_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=False, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
