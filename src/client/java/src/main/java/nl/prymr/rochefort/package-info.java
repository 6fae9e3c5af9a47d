/**
 * A client for rochefort, a storage server that appends values to files and answers each append
 * with the offset of the value. Start with {@link nl.prymr.rochefort.Client}.
 */
package nl.prymr.rochefort;
