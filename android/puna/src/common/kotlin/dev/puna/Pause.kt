package dev.puna

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach

/**
 * The same answer, which pauses while [paused] is true, and then goes on: nothing is computed meanwhile but the piece
 * that was begun, and nothing is lost.
 */
@JvmSynthetic
public fun Flow<Piece>.pauseWhile(paused: Flow<Boolean>): Flow<Piece> = onEach { paused.first { !it } }
