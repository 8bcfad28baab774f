// Chats into the journal in the folder that is its second argument, on the model that is its first, until it is killed.
import Foundation
import Puna

@MainActor func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
let arguments = CommandLine.arguments
let model = try await Model.open(URL(fileURLWithPath: arguments[1]))
var options = ChatOptions(contextTokens: 1024, journal: URL(fileURLWithPath: arguments[2]))
options.answer = AnswerOptions(maxTokens: 12, temperature: 0)
let chat = try model.chat("Be brief.", options: options)
let first = try await chat.ask("Name a colour.")
say("first: \(Data(first.utf8).base64EncodedString())")
for try await _ in chat.stream("Tell me a very long story.", options: AnswerOptions(maxTokens: 500, temperature: 0)) {
    if chat.stats.tokens == 3 { say("answering") }
}
try await Task.sleep(nanoseconds: 60_000_000_000)
