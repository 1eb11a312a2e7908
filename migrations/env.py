"""How Alembic reaches the database: through our own engine, so that migrations run as the application does."""

from alembic import context

from models import metadata
from wiring.database import make_engine

_LOCK = 7_201_809_201  # ours alone: any number that nobody else takes in this database


def run() -> None:
    """Run the migrations on the database that the caller named."""
    engine = make_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        # A table that others refer to is built anew beside the old one, which SQLite allows only like this, and only
        # outside a transaction.
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=False, compare_type=True)
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":  # two at once: the second waits, then finds it done
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            context.run_migrations()
            if on_sqlite and (dangling := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                message = f"a row of {dangling[0]} refers to a row of {dangling[2]} that is not there"
                raise RuntimeError(message)
    engine.dispose()


run()
