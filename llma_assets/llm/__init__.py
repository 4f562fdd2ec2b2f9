"""Summaries, vectors and names from any server that speaks OpenAI's protocol.

The SDK is imported when the first call is made, never when the code location loads. All calls go through
`client.LlmClient`: it is the place for retries today, and for budgets, recording and redaction.
"""
