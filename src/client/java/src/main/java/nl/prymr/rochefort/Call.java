package nl.prymr.rochefort;

/** One call of a method of {@link Client}: an exchange, or several one after the other. */
interface Call<T> {
    /** Runs it, in one thread that has a permit of the {@link ConnectionLimiter}. */
    T run(ConnectionPool pool) throws RochefortException;

    /** Any thread: ends the call because of {@code why}, unless it has ended. */
    void fail(Throwable why);

    /** The exception of a call that was failed before it was run. */
    RochefortException failure();
}
