"""What texts mean: numbers and words as people write them, labels of forms, headers, school years.

The words themselves are data (``definitions/forms``); ``convert`` reads one cell by the rule of its column.
"""
