package nl.prymr.rochefort;

/** A call of several exchanges, one after the other. {@code R}: what each of them returns. */
abstract class ExchangeSequence<R, T> implements Call<T> {
    private Throwable why;
    private Exchange<R> current; // null: all are done

    /** Returns the next exchange, or null if all are done. */
    abstract Exchange<R> create();

    /** Takes what an exchange has returned. */
    abstract void received(R part) throws RochefortException;

    /** Returns the value of the call, after all exchanges. */
    abstract T result();

    /** Call once, before the call is run: makes the first exchange, which there must be. */
    final synchronized Exchange<R> next() {
        current = create();
        if (why != null && current != null) {
            current.fail(why);
        }
        return current;
    }

    private synchronized Exchange<R> current() {
        return current;
    }

    @Override
    public final T run(ConnectionPool pool) throws RochefortException {
        for (Exchange<R> exchange = current(); exchange != null; exchange = next()) {
            received(exchange.run(pool));
        }
        return result();
    }

    @Override
    public final synchronized void fail(Throwable why) {
        this.why = this.why == null ? why : this.why;
        if (current != null) {
            current.fail(why);
        }
    }

    /** Of a call that was not run. */
    @Override
    public final synchronized RochefortException failure() {
        return current.failure();
    }
}
