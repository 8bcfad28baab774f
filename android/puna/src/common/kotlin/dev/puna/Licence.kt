package dev.puna

import dev.puna.ffi.acceptLicence
import dev.puna.ffi.knownLicence
import java.io.File

/**
 * A licence that asks for acceptance before its models are used, for a sheet that a person reads.
 *
 * @property id what it goes by, such as `llama2`.
 * @property name its name.
 * @property terms where its terms are to be read.
 * @property usePolicy where the acceptable-use policy is to be read that comes with it.
 * @property notice what one must know before use: a summary, not the terms.
 */
public data class Licence(
    val id: String,
    val name: String,
    val terms: String?,
    val usePolicy: String?,
    val notice: String?,
) {
    /**
     * Records in [folder] that [who] accepts it: for every model under it that is opened with this folder.
     *
     * @throws PunaException.Unwritable
     */
    public fun accept(who: String, folder: File) {
        runtime { acceptLicence(id, who, folder.path) }
    }

    public companion object {
        /** The licence that a [PunaException.LicenceNotAccepted] names; `null` for one that is not known here. */
        @JvmStatic
        public fun of(id: String): Licence? =
            knownLicence(id)?.run { Licence(this.id, name, terms, usePolicy, notice) }
    }
}
