-- Pandoc: a div's class becomes a paragraph style of the Word document or a function of report.typ.
local styles = { title = "Title", subtitle = "Subtitle", note = "Note", figure = "Captioned Figure",
  caption = "Image Caption" }

local function section(orientation)
  return pandoc.RawBlock("openxml",
    '<w:p><w:pPr><w:spacing w:before="0" w:after="0" w:line="20" w:lineRule="exact"/>' ..
    '<w:sectPr><w:pgSz w:orient="' .. orientation .. '"/></w:sectPr></w:pPr></w:p>')
end

-- Tables on their side hold most: they are set smaller. The writer of Word gives a plain block its own style, so it
-- becomes a paragraph.
local function shrink(rows)
  for _, row in ipairs(rows) do
    for _, cell in ipairs(row.cells) do
      local paragraphs = cell.contents:map(function(block)
        return block.t == "Plain" and pandoc.Para(block.content) or block
      end)
      cell.contents = { pandoc.Div(paragraphs, { ["custom-style"] = "Small Table" }) }
    end
  end
end

local function small(blocks)
  for _, block in ipairs(blocks) do
    if block.t == "Table" then
      shrink(block.head.rows)
      for _, body in ipairs(block.bodies) do
        shrink(body.body)
      end
    end
  end
  return blocks
end

local function wrapped(before, blocks, after)
  local all = pandoc.Blocks { before }
  all:extend(blocks)
  all:insert(after)
  return all
end

function Span(span)
  local colour = span.attributes["colour"]
  if not span.classes:includes("shape") or not colour then
    return nil
  end
  local shape = pandoc.utils.stringify(span)
  if FORMAT == "docx" then
    return pandoc.RawInline("openxml",
      '<w:r><w:rPr><w:color w:val="' .. colour .. '"/></w:rPr><w:t xml:space="preserve">' .. shape .. " </w:t></w:r>")
  end
  return pandoc.RawInline("typst", '#text(fill: rgb("#' .. colour .. '"))[' .. shape .. " ]")
end

-- In the PDF a short table stays whole; in Word planlib.run.document sees to it.
function Table(whole)
  local rows = #whole.head.rows
  for _, body in ipairs(whole.bodies) do
    rows = rows + #body.body
  end
  if FORMAT == "typst" and rows <= 10 then
    return wrapped(pandoc.RawBlock("typst", "#together["), { whole }, pandoc.RawBlock("typst", "]"))
  end
end

-- ... and its notes with it.
function Blocks(blocks)
  for at, block in ipairs(blocks) do
    local after = blocks[at + 3]
    if block.t == "RawBlock" and block.text == "#together[" and after and after.t == "RawBlock" and after.text == "#note[" then
      block.text = "#noted["
    end
  end
  return blocks
end

function Div(div)
  local class = div.classes[1]
  if FORMAT == "docx" then
    if class == "wide" then
      return wrapped(section("portrait"), small(div.content), section("landscape"))
    elseif class == "dense" then
      return small(div.content)
    elseif class == "contents" then -- a place for `planlib.run.document` to fill
      return pandoc.RawBlock("openxml", "<w:sdt><w:sdtContent/></w:sdt>")
    elseif styles[class] then
      return pandoc.Div(div.content, { ["custom-style"] = styles[class] })
    end
    return div.content
  end
  if class == "contents" then
    return pandoc.RawBlock("typst", "#contents")
  end
  if class == "figure" then
    class = "figure-block"
  end
  return wrapped(pandoc.RawBlock("typst", "#" .. class .. "["), div.content, pandoc.RawBlock("typst", "]"))
end
