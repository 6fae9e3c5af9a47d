/**
 * The client of rochefort, a storage server that appends values to files and answers each append
 * with an offset. {@link nl.prymr.rochefort.Client} is the place to begin.
 */
package nl.prymr.rochefort;
